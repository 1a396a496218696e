# SPDX-License-Identifier: Apache-2.0
"""Comparisons kept beside the bundle, so that a missed gate can be looked into."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from rvl_edge._files import folder_atomic
from rvl_edge.offline.exporting.parity import Parity


class Comparisons:
    """What was compared so far, by runtime and graph, with the worst sample of each as .npz."""

    def __init__(self) -> None:
        self._made: dict[str, dict[str, Parity]] = {}
        self._worst: dict[str, bytes] = {}

    @property
    def made(self) -> Mapping[str, Mapping[str, Parity]]:
        """By runtime, the default one first, then by graph."""
        return self._made

    def add(self, graph: str, parity: Parity, worst: bytes) -> None:
        """Keep one comparison, whether it passed or not."""
        self._made.setdefault(parity.backend, {})[graph] = parity
        self._worst[f"{graph}-{parity.backend}.npz"] = worst

    def report(self) -> bytes:
        """All comparisons as JSON."""
        plain = {
            backend: {graph: asdict(parity) for graph, parity in graphs.items()}
            for backend, graphs in self._made.items()
        }
        return (json.dumps(plain, indent=2) + "\n").encode()

    def save(self, folder: Path) -> None:
        """Write `parity.json` and the worst samples, if any; a folder already there is replaced."""
        if not self._made:
            return
        with folder_atomic(folder) as partial:
            (partial / "parity.json").write_bytes(self.report())
            for name, content in self._worst.items():
                (partial / name).write_bytes(content)


@contextmanager
def kept_beside(bundle: Path) -> Iterator[Comparisons]:
    """Comparisons that end up in `BUNDLE.parity/`, however the block ends."""
    comparisons = Comparisons()
    folder = bundle.with_name(f"{bundle.name}.parity")
    try:
        yield comparisons
    except BaseException:
        with suppress(OSError):  # of a disk on which the bundle found no room either
            comparisons.save(folder)
        raise
    comparisons.save(folder)
