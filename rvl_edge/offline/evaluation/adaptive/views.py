# SPDX-License-Identifier: Apache-2.0
"""The views of `rvl_edge.refine`, with gradients: each is linear in the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rvl_edge.refine import Crop, Excerpt, frame_seed, plan_views
from rvl_edge.types import Modality

Plans = Sequence[Sequence[Crop | Excerpt]]
"""N - 1 variations for each of B samples."""


@dataclass(frozen=True)
class Variation:
    """How a robot varies the samples of one sense.

    Attributes:
        modality: the sense.
        count: N, views a sample, the original among them.
        keep: as in `ColaSettings`.
    """

    modality: Modality
    count: int
    keep: float

    def own(self, inputs: Tensor) -> Plans:
        """The robot's plans for model inputs (B, ...), each from its own bytes."""
        arrays = inputs.detach().cpu().numpy()
        return [self._plan(inputs.shape[1:], frame_seed(each)) for each in arrays]

    def drawn(self, inputs: Tensor, random: np.random.Generator) -> Plans:
        """Plans of as many samples from the same distribution."""
        return [
            self._plan(inputs.shape[1:], int(seed)) for seed in random.integers(1 << 32, size=len(inputs))
        ]

    def _plan(self, shape: Sequence[int], seed: int) -> Sequence[Crop | Excerpt]:
        return plan_views(shape, self.modality, self.count, seed, self.keep)


def planned_views(inputs: Tensor, plans: Plans) -> Tensor:
    """Model inputs (B, ...) and their variations, (B, N, ...), the original first."""
    originals = inputs[:, None]
    if not plans[0]:
        return originals
    vary = _excerpts if isinstance(plans[0][0], Excerpt) else _crops
    return torch.cat([originals, vary(originals, plans)], dim=1)


def _excerpts(originals: Tensor, plans: Plans) -> Tensor:
    frames = originals.shape[-1]
    orders = np.array([[cast(Excerpt, each).order(frames) for each in own] for own in plans])
    index = _between(torch.from_numpy(orders).to(originals.device), originals, axes=1)
    shape = (*orders.shape[:2], *originals.shape[2:])
    return originals.expand(shape).gather(-1, index.expand(shape))


def _crops(originals: Tensor, plans: Plans) -> Tensor:
    height, width = originals.shape[-2:]
    crops = [[cast(Crop, each) for each in own] for own in plans]
    down = np.array([[_stretch(height, each.top, each.rows) for each in own] for own in crops])
    across = np.array(
        [[_stretch(width, each.left, each.columns, each.flipped) for each in own] for own in crops]
    )
    rows, columns = (
        _between(torch.from_numpy(each).to(originals), originals, axes=2) for each in (down, across)
    )
    return rows @ originals @ columns.mT


def _between(values: Tensor, like: Tensor, axes: int) -> Tensor:
    """(B, N - 1, ...) shaped to be broadcast over `like`, whose last `axes` axes it shares."""
    return values.view(*values.shape[:2], *[1] * (like.ndim - 2 - axes), *values.shape[2:])


def _stretch(size: int, start: int, length: int, flipped: bool = False) -> npt.NDArray[np.float32]:
    """(size, size): linear interpolation of `length` pixels from `start` on, edges repeated."""
    position = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
    below = np.minimum(position.astype(int), max(length - 2, 0))
    share = position - below
    weights = np.zeros((size, size), np.float32)
    rows = np.arange(size)
    weights[rows, start + below] = 1 - share
    weights[rows, start + np.minimum(below + 1, length - 1)] += share
    return weights[::-1] if flipped else weights
