# SPDX-License-Identifier: Apache-2.0
"""Whether an embedding fits the texts, its own views, and what the encoder said before it was hardened.

All three are measured against the label set that the bundle opens with, whatever labels are in force: a fit
would not hold for others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rvl_edge.refine import TextSubspace
from rvl_edge.trust.monitor import Curve, Observation
from rvl_edge.types import FloatArray


@dataclass(frozen=True, eq=False)
class SubspaceEnergy:
    """How much of the embedding lies outside of the space that the texts span."""

    subspace: TextSubspace
    name = "subspace-energy"
    rule: Curve | None = None

    def statistic(self, seen: Observation) -> float:
        """1 - ||Π x||², in [0, 1], with COLA's projection Π."""
        return 1 - float(np.square(self.subspace.coordinates(seen.embedding)).sum())

    def explain(self, value: float, usual: float | None) -> str:
        """See `Monitor`."""
        known = "" if usual is None else f", usually {1 - usual:.0%}"
        return f"{1 - value:.0%} of the embedding is anything that labels say{known}"


@dataclass(frozen=True)
class ViewDisagreement:
    """How far the sample's views are from itself, while COLA makes them."""

    name = "view-disagreement"
    rule: Curve | None = None

    def statistic(self, seen: Observation) -> float | None:
        """Mean of 1 - cosine over the views but the first; None where there is none."""
        if seen.views is None or len(seen.views) < 2:
            return None
        return 1 - float((seen.views[1:] @ seen.views[0]).mean())

    def explain(self, value: float, usual: float | None) -> str:
        """See `Monitor`."""
        known = "" if usual is None else f", usually {1 - usual:.2f}"
        return f"the sample's views are at a mean cosine of {1 - value:.2f} to itself{known}"


@dataclass(frozen=True, eq=False)
class SentinelDisagreement:
    """How differently the encoder ranks labels from what it was before it was hardened.

    An attack made on either of them moves that one more than the other.

    Attributes:
        anchors: (K, D) float32, unit norm.
        logit_scale: inverse temperature of the softmax.
    """

    anchors: FloatArray
    logit_scale: float
    name = "sentinel"
    rule: Curve | None = None

    def statistic(self, seen: Observation) -> float | None:
        """Jensen-Shannon divergence of the two posteriors in bits, 0 to 1; None where it did not run."""
        if seen.sentinel is None:
            return None
        p, q = self._posterior(seen.embedding), self._posterior(seen.sentinel)
        middle = (p + q) / 2
        return float(max(0.0, (_relative(p, middle) + _relative(q, middle)) / 2))

    def explain(self, value: float, usual: float | None) -> str:
        """See `Monitor`."""
        known = "" if usual is None else f", usually {usual:.2f}"
        return f"the plain encoder ranks labels {value:.2f} bits apart{known}"

    def _posterior(self, embedding: FloatArray) -> npt.NDArray[np.float64]:
        logits = self.logit_scale * (self.anchors @ embedding).astype(np.float64)
        weights = np.exp(logits - logits.max())
        posterior: npt.NDArray[np.float64] = weights / weights.sum()
        return posterior


def _relative(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> float:
    """Kullback-Leibler divergence in bits; q is positive wherever p is."""
    return float(np.sum(p * np.log2(np.maximum(p, 1e-300) / np.maximum(q, 1e-300))))
