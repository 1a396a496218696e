# SPDX-License-Identifier: Apache-2.0
"""What a source of training samples gives: any row of any step, the same ones whenever they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rvl_edge.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Labelled:
    """Samples in their domain.

    Attributes:
        samples: (B, ...) float32 in [0, 1].
        labels: (B,) int64, index into the anchors of one label set.
    """

    samples: Tensor
    labels: Tensor


class Source(Protocol):
    """Batches for training. What is random in one depends on the seed and the step only."""

    @property
    def steps_per_epoch(self) -> int | None:
        """Batches a pass; None where nobody knows, as with a stream."""

    def batch(self, step: int, rows: slice) -> Labelled:
        """Some rows of a step's batch, labelled for the label set whose turn it is.

        Streams are quick only where steps follow each other.
        """


def whose_turn(step: int, label_sets: int) -> int:
    """Which label set a step is about."""
    return step % label_sets


def step_seed(seed: int, step: int) -> int:
    """Seed of all that is random in one step."""
    return seed * 1_000_003 + 500_009 + step


def shuffled(count: int, batch_size: int, seed: int, step: int) -> Tensor:
    """Samples of one step, (batch_size,) int64 below `count`: a fresh order every pass, its rest left out."""
    epoch, place = divmod(step, steps_per_epoch(count, batch_size))
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(count, generator=generator)
    return order[place * batch_size : (place + 1) * batch_size]


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Whole batches a pass.

    Raises:
        ConfigError: there is none.
    """
    if count < batch_size:
        raise ConfigError("the batch is larger than the set", got=batch_size, expected=f"at most {count}")
    return count // batch_size
