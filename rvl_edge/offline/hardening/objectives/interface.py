# SPDX-License-Identifier: Apache-2.0
"""What every hardening method looks like to the trainer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.hardening.attacks.goals import Goal
from rvl_edge.offline.hardening.domains import Domain
from rvl_edge.offline.towers import Encoder


@dataclass(frozen=True, eq=False)
class Scene:
    """What a method works with.

    Attributes:
        student: the encoder that is trained, phi.
        original: the frozen encoder it started from, phi_org.
        domain: where perturbations live.
        anchors: (K, D), unit norm: the frozen text embedding of each class.
        scale: multiplies cosines before a softmax.
    """

    student: Encoder
    original: Encoder
    domain: Domain
    anchors: Tensor
    scale: float

    def features(self, samples: Tensor) -> Tensor:
        """phi, not normalised, (B, D) float32."""
        return self.student.features(self.domain.model_input(samples)).float()

    def logits(self, features: Tensor) -> Tensor:
        """Scaled cosines to the anchors, (B, K)."""
        return self.scale * functional.normalize(features, dim=-1) @ self.anchors.T


@dataclass(frozen=True, eq=False)
class Batch:
    """Clean samples of one step.

    Attributes:
        samples: (B, ...) in [0, 1], in the domain.
        labels: (B,) int64, index into the anchors.
        reference: (B, D), phi_org of the samples, not normalised.
    """

    samples: Tensor
    labels: Tensor
    reference: Tensor


class Objective(Protocol):
    """A hardening method: what its attacker maximises and what its encoder minimises."""

    def goal(self, scene: Scene, batch: Batch) -> Goal:
        """The inner maximisation."""

    def terms(self, scene: Scene, batch: Batch, adversarial: Tensor) -> dict[str, Tensor]:
        """Weighted terms, scalars, of the outer minimisation; their sum is the loss."""


def original_features(scene: Scene, samples: Tensor) -> Tensor:
    """phi_org, (B, D) float32, without gradient."""
    with torch.no_grad():
        return scene.original.features(scene.domain.model_input(samples)).float()
