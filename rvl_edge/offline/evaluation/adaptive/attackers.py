# SPDX-License-Identifier: Apache-2.0
"""Attackers on an encoder with COLA behind it, from one who does not know of it to one who goes through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rvl_edge.offline.evaluation.adaptive.cola import DifferentiableCola
from rvl_edge.offline.evaluation.adaptive.views import Plans, Variation, planned_views
from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.goals import classification
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.refine import Cola


@dataclass(frozen=True, eq=False)
class Attackers:
    """PGD on cross-entropy, by what the attacker takes the logits from.

    Attributes:
        classifier: the encoder and its anchors.
        variation: the robot's views.
        pgd: threat, steps and step size.
        seed: of random starts and of drawn views.
    """

    classifier: Classifier
    variation: Variation
    pgd: Pgd
    seed: int = 0

    def transfer(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Attack the plain logits of the sample as it is."""
        return self._attack(self.classifier, samples, labels)

    def over_views(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Attack the mean of the views' logits; each step draws other views (EOT, Athalye et al. 2018)."""
        random = np.random.default_rng(self.seed)

        def logits(points: Tensor) -> Tensor:
            features = self.features(points, lambda inputs: self.variation.drawn(inputs, random))
            return self.classifier.scale * features.mean(dim=1) @ self.classifier.anchors.T

        return self._attack(logits, samples, labels)

    def end_to_end(self, cola: Cola, samples: Tensor, labels: Tensor, *, hold_plan: bool = True) -> Tensor:
        """Attack COLA's own scores by the views that the robot makes of each iterate.

        Only the choice of the views is always held: it hangs on a checksum of the iterate, which has no
        gradient.

        Args:
            cola: to go through.
            samples, labels: as above.
            hold_plan: see `DifferentiableCola`.
        """
        scores = DifferentiableCola(cola, self.classifier.device, hold_plan=hold_plan)

        def logits(points: Tensor) -> Tensor:
            return self.classifier.scale * scores(self.features(points, self.variation.own))

        return self._attack(logits, samples, labels)

    def features(self, points: Tensor, plan: Callable[[Tensor], Plans]) -> Tensor:
        """Unit embeddings (B, N, D) of the planned views of samples (B, ...) in [0, 1]."""
        views = planned_views(inputs := self.classifier.domain.model_input(points), plan(inputs))
        return self.classifier.embed(views.flatten(0, 1)).view(*views.shape[:2], -1)

    def _attack(self, logits: Callable[[Tensor], Tensor], samples: Tensor, labels: Tensor) -> Tensor:
        generator = torch.Generator(samples.device).manual_seed(self.seed)
        goal = classification(logits, labels, losses.cross_entropy)
        return self.pgd(goal, samples, generator)
