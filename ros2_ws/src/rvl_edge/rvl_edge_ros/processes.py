# SPDX-License-Identifier: Apache-2.0
"""A node as a child process that never outlives its parent's interest in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType

from typing_extensions import Self

_PATIENCE = 10.0  # seconds a node gets to end by itself


class Child:
    """Runs `python -m MODULE` as a ROS node; use it as a context manager.

    It has a session of its own, so that Ctrl-C in the terminal reaches the parent alone, which ends its
    children in order. A parent that is killed takes them with it (`rvl_edge_ros.tethered`).

    Args:
        module: with a `main`.
        namespace: of the node.
        parameters: name -> value as YAML.
    """

    def __init__(self, module: str, namespace: str, parameters: Mapping[str, str]) -> None:
        self.name = module.rpartition(".")[2]
        assignments = [text for name, value in parameters.items() for text in ("-p", f"{name}:={value}")]
        tethered = [sys.executable, "-m", "rvl_edge_ros.tethered", str(os.getpid()), module]
        self._command = [*tethered, "--ros-args", "-r", f"__ns:={namespace}", *assignments]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, start_new_session=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask it to end, and kill it if it does not; stopping twice is fine."""
        if self.running:
            self._process.terminate()  # quiet even while the node still imports, unlike SIGINT
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
