# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rvl_edge.benchmarking.board import Board

_PACKAGES = ("rvl-edge-sdk", "numpy", "onnxruntime", "openvino", "torch")


@dataclass(frozen=True)
class Machine:
    """Processor and software.

    Attributes:
        cpu: its model name.
        cpus: logical processors that this process may use.
        load: processes that ran or waited to, on average over the last minute; above 0, others worked too.
            None where the system does not say.
        system: operating system and architecture.
        python: release of the interpreter.
        packages: "name release" of those that are installed.
        board: its power mode, clocks and temperatures.
    """

    cpu: str
    cpus: int
    load: float | None
    system: str
    python: str
    packages: tuple[str, ...]
    board: Board

    @classmethod
    def this(cls) -> Machine:
        """The machine this runs on, now."""
        usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        return cls(
            cpu=_cpu(),
            cpus=len(usable),
            load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            system=f"{platform.system()} {platform.machine()}",
            python=platform.python_version(),
            packages=tuple(_installed()),
            board=Board.read(),
        )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _installed() -> list[str]:
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found
