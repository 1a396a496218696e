# SPDX-License-Identifier: Apache-2.0
"""An attacker who knows the monitors: wrong answers that nothing warns of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log

import torch
from torch import Tensor

from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.refine import TextSubspace
from rvl_edge.trust.agreement import SentinelDisagreement, SubspaceEnergy
from rvl_edge.trust.features import CleanFeatures, EmbeddingDistance
from rvl_edge.trust.monitor import Curve

_WRONG_BY = 0.5  # logits; a larger margin buys the attacker nothing
_BELOW = 0.1  # how far under the thresholds to aim, in tails


@dataclass(frozen=True, eq=False)
class Watch:
    """The monitors of embeddings, with gradients.

    Attributes:
        classifier: the encoder that is judged.
        features: of clean samples.
        subspace: of the texts.
        sentinel: the plain encoder; None where the robot does not run it.
        curves: by monitor; those without one do not judge.
    """

    classifier: Classifier
    features: CleanFeatures
    subspace: TextSubspace
    sentinel: Classifier | None
    curves: Mapping[str, Curve]

    def look(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """One run of each encoder.

        Returns:
            Logits (n, K) of the one that is judged; and how far each monitor's statistic is above its
            threshold, in scales of its tail, (n, M).
        """
        embeddings = self.classifier.embed(self.classifier.domain.model_input(samples))
        logits = self.classifier.scale * embeddings @ self.classifier.anchors.T
        basis = torch.from_numpy(self.subspace.basis).to(samples.device)
        statistics = {
            EmbeddingDistance.name: self._distance(embeddings),
            SubspaceEnergy.name: 1 - (embeddings @ basis).square().sum(dim=1),
        }
        if self.sentinel is not None:
            statistics[SentinelDisagreement.name] = _divergence(logits, self.sentinel(samples))
        excess = [
            (value - self.curves[name].threshold) / _scale(self.curves[name])
            for name, value in statistics.items()
            if name in self.curves
        ]
        return logits, torch.stack(excess, dim=1)

    @property
    def exact(self) -> Watch:
        """The same in float32, as the robot judges."""
        plain = None if self.sentinel is None else replace(self.sentinel, precision=torch.float32)
        return replace(self, classifier=replace(self.classifier, precision=torch.float32), sentinel=plain)

    def _distance(self, embeddings: Tensor) -> Tensor:
        means, basis, variances = (
            torch.from_numpy(each).to(embeddings)
            for each in (self.features.means, self.features.basis, self.features.variances)
        )
        offsets = embeddings[:, None] - means
        inside = offsets @ basis
        outside = (offsets.square().sum(dim=2) - inside.square().sum(dim=2)).clamp_min(0)
        squared = (inside.square() / variances).sum(dim=2) + outside / self.features.rest
        return squared.amin(dim=1).clamp_min(1e-12).sqrt()


@dataclass(frozen=True, eq=False)
class AwareAttack:
    """PGD on the margin, less what the monitors say times a price of each sample's own.

    The price is searched for by bisection in its logarithm, as Carlini & Wagner (2017) search for theirs:
    up where an answer is wrong and warned of, down where it is right. A sample keeps the first try that is
    wrong and not warned of, else the last that is wrong. View disagreement and sensor monitors take no part
    in the search: they judge what comes of it.

    Attributes:
        watch: the monitors; in whatever precision it searches, tries are judged in float32.
        pgd: threat, steps and step size of a try.
        tries: prices tried.
    """

    watch: Watch
    pgd: Pgd
    tries: int = 6

    def __call__(self, samples: Tensor, labels: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Perturb samples (B, ...) in [0, 1] away from labels (B,)."""
        low = samples.new_full((len(samples),), -6.0)  # natural logarithms of prices
        high = samples.new_full((len(samples),), 4.0)
        price = samples.new_zeros(len(samples))
        best, done = samples.clone(), torch.zeros_like(labels, dtype=torch.bool)
        for _ in range(self.tries):
            found = self.pgd(_Goal(self.watch, labels, price.exp()), samples, generator)
            with torch.no_grad():
                logits, excess = self.watch.exact.look(found)
                wrong, quiet = logits.argmax(dim=1) != labels, (excess <= 0).all(dim=1)
            best[wrong & ~done] = found[wrong & ~done]
            done |= wrong & quiet
            if done.all():
                break
            low = torch.where(wrong & ~quiet, price, low)
            high = torch.where(~wrong, price, high)
            price = (low + high) / 2
        return best


@dataclass(frozen=True, eq=False)
class _Goal:
    watch: Watch
    labels: Tensor
    price: Tensor

    def __call__(self, samples: Tensor, rows: Tensor) -> Tensor:
        logits, excess = self.watch.look(samples)
        gain = losses.margin(logits, self.labels[rows]).clamp(max=_WRONG_BY)
        warned = (excess + _BELOW).clamp_min(0).sum(dim=1)
        return gain - self.price[rows] * warned


def _scale(curve: Curve) -> float:
    value, trust = curve.points[-1]
    return (value - curve.threshold) / log(1 / trust)


def _divergence(own: Tensor, other: Tensor) -> Tensor:
    """Jensen-Shannon divergence in bits of softmax logits (n, K)."""
    p, q = own.softmax(dim=1), other.softmax(dim=1)
    middle = ((p + q) / 2).clamp_min(1e-12).log2()
    terms = [(each * (each.clamp_min(1e-12).log2() - middle)).sum(dim=1) for each in (p, q)]
    return (terms[0] + terms[1]) / 2
