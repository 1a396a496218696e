# SPDX-License-Identifier: Apache-2.0
"""SGA: texts lead the sample away at several scales, the sample leads the texts (Lu et al., ICCV 2023)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.hardening.attacks.goals import Goal
from rvl_edge.offline.hardening.attacks.joint.pairs import Pairs, Towers
from rvl_edge.offline.hardening.attacks.joint.scales import Scales
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.attacks.text.interface import TextAttack, away_from
from rvl_edge.offline.hardening.threat import Norm, Threat

PUBLISHED = Pgd(Threat(Norm.LINF, 2 / 255), steps=10, step_size=0.5 / 255)


@dataclass(frozen=True)
class Sga:
    """Set-level guidance attack: text, then sample, then text again from the clean ones.

    The first texts are led away from the clean samples. The samples are led away from all of their own such
    texts, the gradient being the sum over the sample and its rescaled copies. The last texts are led away
    from the perturbed samples. Defaults are the published ones for pictures; `WordSubstitution` with its
    defaults is the text attack.

    Attributes:
        text: the attack on texts.
        pgd: the attack on samples.
        scales: of the copies.
    """

    text: TextAttack
    pgd: Pgd = PUBLISHED
    scales: Scales = field(default_factory=Scales)

    def __call__(self, towers: Towers, pairs: Pairs, generator: torch.Generator | None = None) -> Pairs:
        """Perturb samples and texts.

        Args:
            towers: under attack.
            pairs: what belongs together.
            generator: of the random start and the noise of the copies, on the samples' device.
        """
        first = self._texts(towers, pairs, pairs.samples, generator)
        goal = self.goal(towers, replace(pairs, texts=first), generator)
        samples = self.pgd(goal, pairs.samples, generator)
        return replace(pairs, samples=samples, texts=self._texts(towers, pairs, samples, generator))

    def goal(self, towers: Towers, pairs: Pairs, generator: torch.Generator | None = None) -> Goal:
        """Minus the cosines of each sample and its copies to all of the sample's texts."""
        with torch.no_grad():
            guide = pairs.summed(functional.normalize(towers.read(pairs.texts), dim=-1))

        def value(samples: Tensor, rows: Tensor) -> Tensor:
            units = functional.normalize(towers.sense(self.scales(samples, generator)), dim=-1)
            return -(units.view(-1, len(rows), units.shape[-1]) * guide[rows]).sum(dim=(0, 2))

        return value

    def _texts(
        self, towers: Towers, pairs: Pairs, samples: Tensor, generator: torch.Generator | None
    ) -> tuple[str, ...]:
        with torch.no_grad():
            features = towers.sense(samples)[pairs.owners]
        return tuple(self.text(pairs.texts, towers.read, away_from(features), generator))
