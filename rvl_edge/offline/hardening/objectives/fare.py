# SPDX-License-Identifier: Apache-2.0
"""FARE: perturbed features stay where the original encoder puts the clean ones (Schlarmann et al. 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from rvl_edge.offline.hardening.attacks.goals import Goal
from rvl_edge.offline.hardening.objectives.interface import Batch, Scene


@dataclass(frozen=True)
class Fare:
    """max over z, min over phi of `||phi(z) - phi_org(x)||^2` (ICML 2024, eq. 3), no labels, no text.

    Features are not normalised. RLBind's first stage is this loss halved, which changes nothing but the
    meaning of the learning rate.
    """

    def goal(self, scene: Scene, batch: Batch) -> Goal:
        """See `Objective`."""
        return lambda samples, rows: squared_distance(scene.features(samples), batch.reference[rows])

    def terms(self, scene: Scene, batch: Batch, adversarial: Tensor) -> dict[str, Tensor]:
        """See `Objective`."""
        return {"fare": squared_distance(scene.features(adversarial), batch.reference).mean()}


def squared_distance(features: Tensor, reference: Tensor) -> Tensor:
    """Squared L2 distance of rows, (B,)."""
    return (features - reference).square().sum(dim=-1)
