# SPDX-License-Identifier: Apache-2.0
"""What a training leaves beside its weights: a line of metrics a pass, and curves for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rvl_edge._files import write_atomic
from rvl_edge.errors import MissingDependency


@dataclass(frozen=True)
class EpochMetrics:
    """One pass over the training part.

    Attributes:
        epoch: counted from 1.
        loss: mean of the pass.
        accuracy: of the averaged weights on the validation part, zero-shot through text, one a question.
        samples_per_second: rate of training.
        seconds: wall time of the pass, without validation.
        terms: mean of each term of the loss, where it has several.
    """

    epoch: int
    loss: float
    accuracy: dict[str, float]
    samples_per_second: float
    seconds: float
    terms: dict[str, float] = field(default_factory=dict)


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


class Board:
    """TensorBoard's event files of a training.

    Args:
        folder: for the files.
        begin: the step that comes next; what an earlier, cut-off run wrote after it is hidden.

    Raises:
        MissingDependency: the `tensorboard` package is not installed.
    """

    def __init__(self, folder: Path, begin: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependency(
                "curves for TensorBoard need a package of their own",
                got=error,
                fix="pip install 'rvl-edge-sdk[tensorboard]', or leave --tensorboard out",
            ) from None
        self._writer = SummaryWriter(str(folder), purge_step=begin)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers after `step` steps, by the name of their curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write out what is held back."""
        self._writer.close()
