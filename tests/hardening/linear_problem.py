# SPDX-License-Identifier: Apache-2.0
"""Linear classifiers, whose exact robustness is known."""

from __future__ import annotations

import torch
from torch import Tensor


def problem(count: int = 40, classes: int = 5, size: int = 30) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (classes, size), samples (count, size) well inside [0, 1], and what the classifier answers."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(classes, size, generator=generator)
    samples = 0.4 + 0.2 * torch.rand(count, size, generator=generator)
    return weights, samples, (samples @ weights.T).argmax(dim=1)


def distance_to_the_border(weights: Tensor, samples: Tensor, labels: Tensor, dual: float) -> Tensor:
    """Smallest perturbation of each sample that changes the answer, in the norm whose dual is `dual`."""
    logits = samples @ weights.T
    gap = logits.gather(1, labels[:, None]) - logits
    slope = (weights[labels][:, None] - weights[None]).norm(p=dual, dim=2)
    distance = gap / slope
    return distance.scatter(1, labels[:, None], torch.inf).amin(dim=1)
