# SPDX-License-Identifier: Apache-2.0
"""What feeds a stage: training samples of a sense as augmented batches with their concepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rvl_edge.preprocess.spec import PictureSpec


@dataclass(frozen=True, eq=False)
class Batch:
    """Model input and targets.

    Attributes:
        pixels: (B, ...) float32, as the encoder takes it.
        shares: one (B, C) target a facet, as `bind_to_text` takes it.
    """

    pixels: Tensor
    shares: tuple[Tensor, ...]


class Feed(Protocol):
    """The training part of a set. `labels` are the class names of all its facets."""

    labels: tuple[str, ...]

    def __len__(self) -> int:
        """Number of samples."""

    def batch(self, index: Tensor) -> Batch:
        """Augment the samples at `index`, (B,) int64; all randomness is torch's global generator."""


def normalised(pictures: Tensor, spec: PictureSpec) -> Tensor:
    """Pictures (B, 3, ...) in [0, 1] to (x - mean) / std, as `rvl_edge.preprocess` does one at a time."""
    shape = (3, *[1] * (pictures.ndim - 2))
    return (pictures - torch.tensor(spec.mean).view(shape)) / torch.tensor(spec.std).view(shape)
