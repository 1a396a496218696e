# SPDX-License-Identifier: Apache-2.0
"""TeCoA: adversarial cross-entropy against the text anchors (Mao et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.goals import Goal, classification
from rvl_edge.offline.hardening.objectives.interface import Batch, Scene


@dataclass(frozen=True)
class Tecoa:
    """max over z, min over phi of `CE(s cos(phi(z), T), y)`, text frozen (ICLR 2023, eq. 3 and 4)."""

    def goal(self, scene: Scene, batch: Batch) -> Goal:
        """See `Objective`."""
        return classification(
            lambda samples: scene.logits(scene.features(samples)), batch.labels, losses.cross_entropy
        )

    def terms(self, scene: Scene, batch: Batch, adversarial: Tensor) -> dict[str, Tensor]:
        """See `Objective`."""
        logits = scene.logits(scene.features(adversarial))
        return {"tecoa": functional.cross_entropy(logits, batch.labels)}
