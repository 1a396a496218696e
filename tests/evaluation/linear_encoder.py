# SPDX-License-Identifier: Apache-2.0
"""A linear encoder, whose robustness can be computed exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.hardening.objectives.interface import Scene
from rvl_edge.offline.towers import Encoder


class Plain:
    """Samples are the encoder's input."""

    name = "numbers"

    def model_input(self, samples: Tensor) -> Tensor:
        return samples


class LinearEncoder(nn.Module):
    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def features(self, samples: Tensor) -> Tensor:
        return samples.flatten(1) @ self.weights.T


@dataclass(frozen=True)
class Problem:
    """Samples well inside [0, 1], most of which the encoder gets right."""

    encoder: LinearEncoder
    samples: Tensor
    labels: Tensor

    @property
    def classes(self) -> int:
        return len(self.encoder.weights)

    @property
    def classifier(self) -> Classifier:
        return Classifier(cast(Encoder, self.encoder), Plain(), torch.eye(self.classes), 20.0)

    @property
    def scene(self) -> Scene:
        encoder = cast(Encoder, self.encoder)
        return Scene(encoder, encoder, Plain(), torch.eye(self.classes), 20.0)

    @property
    def distance(self) -> Tensor:
        """Smallest L-inf perturbation that changes each answer; 0 where the answer is wrong."""
        weights = self.encoder.weights.detach()
        scores = self.samples @ weights.T
        gap = scores.gather(1, self.labels[:, None]) - scores
        slope = (weights[self.labels][:, None] - weights[None]).abs().sum(dim=2)
        return (gap / slope).scatter(1, self.labels[:, None], torch.inf).amin(dim=1).clamp_min(0)


def problem(count: int = 60, classes: int = 4, size: int = 20, seed: int = 0) -> Problem:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(classes, size, generator=generator)
    samples = 0.4 + 0.2 * torch.rand(count, size, generator=generator)
    labels = (samples @ weights.T).argmax(dim=1)
    labels[: count // 10] = (labels[: count // 10] + 1) % classes
    return Problem(LinearEncoder(weights), samples, labels)
