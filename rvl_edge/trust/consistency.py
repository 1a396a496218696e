# SPDX-License-Identifier: Apache-2.0
"""Whether two senses that look at the same thing keep saying different things about it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import exp, log, log2

TOLERATED = 0.2  # mean divergence, in bits, of two senses that are in order
REFERENCE = 0.4  # what the sum is held against at each step, between tolerated and conflicting
MEAN_RUN = 10_000  # comparisons between false alarms, at least
_SHARED_MASS = 0.5


def divergence(first: Mapping[str, float], second: Mapping[str, float]) -> float | None:
    """Jensen-Shannon divergence of two opinions about what both can name, in bits, 0 to 1 (Lin 1991).

    Both are conditioned on the shared concepts. None where they share fewer than two, or where either puts
    less than half of its belief on them: it then sees something that the other has no word for, and no
    disagreement follows.
    """
    shared = first.keys() & second.keys()
    masses = [sum(each[concept] for concept in shared) for each in (first, second)]
    if len(shared) < 2 or min(masses) < _SHARED_MASS:
        return None
    total = 0.0
    for concept in shared:
        p, q = first[concept] / masses[0], second[concept] / masses[1]
        total += _term(p, (p + q) / 2) + _term(q, (p + q) / 2)
    return min(1.0, max(0.0, total / 2))


def _term(p: float, middle: float) -> float:
    return p * log2(p / middle) if p > 0 else 0.0


@lru_cache(maxsize=1)
def alarm_level() -> float:
    """h, the sum at which a conflict is reported.

    For values in [0, 1] of mean at most m, E[exp(θ D)] <= 1 - m + m exp(θ) by convexity. With the largest θ
    that keeps this below exp(θ k), exp(θ S) drifts down, and the mean run between false alarms of the sum
    started at 0 is at least exp(θ h) (Lorden, Annals of Mathematical Statistics 1971), whatever the values'
    distribution, as long as what went before does not raise their mean beyond m.
    """
    low, high = 0.0, 50.0
    for _ in range(100):
        theta = (low + high) / 2
        if 1 - TOLERATED + TOLERATED * exp(theta) <= exp(theta * REFERENCE):
            low = theta
        else:
            high = theta
    return log(MEAN_RUN) / low


class Cusum:
    """Page's cumulative sum (Biometrika 1954) of divergences above the reference, S <- max(0, S + D - k).

    It stops at twice the alarm level, so that senses that agree again are believed again in bounded time.
    """

    def __init__(self) -> None:
        self._sum = 0.0

    def add(self, divergence: float) -> None:
        """Take one comparison in."""
        self._sum = min(max(0.0, self._sum + divergence - REFERENCE), 2 * alarm_level())

    @property
    def trust(self) -> float:
        """1 up to the alarm level, then falling to 0 at twice of it."""
        return min(1.0, 2 - self._sum / alarm_level())
