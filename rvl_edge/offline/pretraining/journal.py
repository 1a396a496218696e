# SPDX-License-Identifier: Apache-2.0
"""What a stage leaves beside its weights: one line of metrics a pass, and their curves."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rvl_edge._files import write_atomic


@dataclass(frozen=True)
class EpochMetrics:
    """One pass over the training part.

    Attributes:
        epoch: counted from 1.
        loss: mean of the pass.
        accuracy: of the averaged weights on the validation part, zero-shot through text, one a label set.
        samples_per_second: rate of training.
        seconds: wall time of the pass.
    """

    epoch: int
    loss: float
    accuracy: dict[str, float]
    samples_per_second: float
    seconds: float


def append_metrics(path: Path, metrics: EpochMetrics) -> None:
    """Add a line; a line of the same or a later pass, left by a run that was cut off, is replaced."""
    kept = [each for each in read_metrics(path) if each.epoch < metrics.epoch]
    lines = [json.dumps(asdict(each)) + "\n" for each in (*kept, metrics)]
    write_atomic(path, "".join(lines).encode())


def read_metrics(path: Path) -> list[EpochMetrics]:
    """All lines so far; none where there is no file."""
    if not path.exists():
        return []
    return [EpochMetrics(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
