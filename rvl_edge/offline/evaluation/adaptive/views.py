# SPDX-License-Identifier: Apache-2.0
"""The views of `rvl_edge.refine`, with gradients: each is linear in the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
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
    return torch.stack(
        [
            torch.stack([each, *(_vary(each, plan) for plan in own)])
            for each, own in zip(inputs, plans, strict=True)
        ]
    )


def _vary(sample: Tensor, plan: Crop | Excerpt) -> Tensor:
    if isinstance(plan, Excerpt):
        return sample[..., torch.from_numpy(plan.order(sample.shape[-1])).to(sample.device)]
    height, width = sample.shape[-2:]
    down, across = _stretch(height, plan.top, plan.rows), _stretch(width, plan.left, plan.columns)
    if plan.flipped:
        across = across.flip(0)
    return down.to(sample) @ sample @ across.to(sample).T


def _stretch(size: int, start: int, length: int) -> Tensor:
    """(size, size): linear interpolation of `length` pixels from `start` on, edges repeated."""
    position = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
    below = np.minimum(position.astype(int), max(length - 2, 0))
    share = position - below
    weights = np.zeros((size, size))
    rows = np.arange(size)
    weights[rows, start + below] = 1 - share
    weights[rows, start + np.minimum(below + 1, length - 1)] += share
    return torch.from_numpy(weights)
