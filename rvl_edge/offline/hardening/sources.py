# SPDX-License-Identifier: Apache-2.0
"""Training samples in their domain: tensors in [0, 1] with labels, varied a little every time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rvl_edge.offline.datasets.samples import Samples
from rvl_edge.offline.pretraining.augmenting import shift_and_flip


class Source(Protocol):
    """The training part of a set.

    Attributes:
        labels: (N,) int64.
    """

    labels: Tensor

    def draw(self, index: Tensor) -> Tensor:
        """Samples at `index`, (B, ...) in [0, 1]; all randomness is torch's global generator."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Stored pictures, moved by up to four pixels and mirrored.

    Attributes:
        pictures: (N, 3, S, S) uint8.
        labels: (N,) int64.
    """

    pictures: Tensor
    labels: Tensor

    @classmethod
    def of(cls, samples: Samples) -> Pictures:
        """From a labelled set of (N, S, S, 3) uint8."""
        pictures = torch.from_numpy(samples.data).permute(0, 3, 1, 2).contiguous()
        return cls(pictures, torch.from_numpy(samples.labels))

    def draw(self, index: Tensor) -> Tensor:
        """See `Source`."""
        return shift_and_flip(self.pictures[index].float() / 255, pad=4)
