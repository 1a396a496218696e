# SPDX-License-Identifier: Apache-2.0
"""One distribution from several that are over different labels: log-linear pooling with ignorance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

FLOOR = 1e-4  # no sense can rule a concept out alone, whatever its softmax says


@dataclass(frozen=True)
class Opinion:
    """What one sense believes.

    Attributes:
        distribution: concept -> probability in [0, 1], summing to 1.
        weight: in [0, 1]; how much it counts.
    """

    distribution: Mapping[str, float]
    weight: float


def pool(opinions: Sequence[Opinion]) -> dict[str, float]:
    """Combine opinions into one distribution over all concepts that any of them is about.

    A log-linear pool (Genest & Zidek, Statistical Science 1986), in which a sense that cannot see a concept
    says neither yes nor no to it. Sense s over n_s concepts gives a concept of its own the evidence
    log(n_s p_s(c)), how much likelier than chance it thinks it, and 0 to every other; that is Bayes' rule for
    a uniform prior over all concepts where what a sense makes of things it does not know is like its average.

        P(c) ∝ max_{s sees c} w_s · exp(Σ_{s sees c} w_s log(n_s max(p_s(c), FLOOR)))

    The first factor is the prior: what only a distrusted sense can see is as little expected as it is
    trusted, so that a weight near 0 does nearly nothing and 0 nothing at all. One sense of weight 1 is
    returned as it is (but for the floor); one of less is flattened.

    Args:
        opinions: in any order.

    Returns:
        Probability by concept, summing to 1; empty where nobody counts.
    """
    evidence: dict[str, float] = {}
    prior: dict[str, float] = {}
    for opinion in opinions:
        if opinion.weight <= 0 or not opinion.distribution:
            continue
        size = len(opinion.distribution)
        for concept, probability in opinion.distribution.items():
            said = opinion.weight * log(size * max(probability, FLOOR))
            evidence[concept] = evidence.get(concept, 0.0) + said
            prior[concept] = max(prior.get(concept, 0.0), opinion.weight)
    if not evidence:
        return {}
    peak = max(evidence.values())
    odds = {concept: prior[concept] * exp(said - peak) for concept, said in evidence.items()}
    total = sum(odds.values())
    return {concept: each / total for concept, each in odds.items()}
