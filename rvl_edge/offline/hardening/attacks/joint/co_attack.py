# SPDX-License-Identifier: Apache-2.0
"""Co-Attack: the text first, then the sample away from itself and from it (Zhang et al., ACM MM 2022)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.hardening.attacks.goals import Goal
from rvl_edge.offline.hardening.attacks.joint.pairs import Pairs, Towers
from rvl_edge.offline.hardening.attacks.joint.sga import PUBLISHED
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.attacks.text.interface import TextAttack, divergence


@dataclass(frozen=True)
class CoAttack:
    """Co-Attack on two towers without fusion, as its code's `run_before_fusion`; MMCoA's strongest test.

    Texts are led away from their clean selves. Samples maximise `KL(phi(x) || phi(x')) + alpha KL(t' || x')`
    over the softmax of features, the second term's of unit norm; of several texts the mean.

    Attributes:
        text: the attack on texts.
        pgd: the attack on samples.
        alpha: weight of the perturbed text.
    """

    text: TextAttack
    pgd: Pgd = PUBLISHED
    alpha: float = 3.0

    def __call__(self, towers: Towers, pairs: Pairs, generator: torch.Generator | None = None) -> Pairs:
        """Perturb samples and texts.

        Args:
            towers: under attack.
            pairs: what belongs together.
            generator: of the random start, on the samples' device.
        """
        with torch.no_grad():
            clean = towers.read(pairs.texts)
        texts = tuple(self.text(pairs.texts, towers.read, divergence(clean), generator))
        perturbed = replace(pairs, texts=texts)
        return replace(perturbed, samples=self.pgd(self.goal(towers, perturbed), pairs.samples, generator))

    def goal(self, towers: Towers, pairs: Pairs) -> Goal:
        """What samples maximise, given clean samples and perturbed texts."""
        with torch.no_grad():
            own = towers.sense(pairs.samples).softmax(dim=-1)
            texts = functional.normalize(towers.read(pairs.texts), dim=-1).softmax(dim=-1)
            count = pairs.summed(torch.ones_like(texts[:, :1])).clamp_min(1)
            mean = pairs.summed(texts) / count
            entropy = pairs.summed((texts * texts.log()).sum(dim=-1, keepdim=True)) / count

        def value(samples: Tensor, rows: Tensor) -> Tensor:
            features = towers.sense(samples)
            unit = functional.normalize(features, dim=-1)
            moved = functional.kl_div(features.log_softmax(dim=-1), own[rows], reduction="none").sum(dim=-1)
            torn = entropy[rows, 0] - (mean[rows] * unit.log_softmax(dim=-1)).sum(dim=-1)
            return moved + self.alpha * torn

        return value
