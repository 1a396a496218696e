# SPDX-License-Identifier: Apache-2.0
"""How sure a measured accuracy is."""

from __future__ import annotations

import math
from dataclasses import dataclass

_Z = 1.959964  # two-sided 95 % of the normal distribution


@dataclass(frozen=True)
class Proportion:
    """A share of trials that succeeded, with its 95 % Wilson score interval (Wilson 1927), all in [0, 1]."""

    value: float
    low: float
    high: float
    trials: int


def proportion(successes: int, trials: int) -> Proportion:
    """Successes among at least one trial."""
    value, squared = successes / trials, _Z**2 / trials
    middle = (value + squared / 2) / (1 + squared)
    reach = _Z * math.sqrt(value * (1 - value) / trials + squared / trials / 4) / (1 + squared)
    return Proportion(value, max(0.0, middle - reach), min(1.0, middle + reach), trials)
