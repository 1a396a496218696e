# SPDX-License-Identifier: Apache-2.0
"""Whether one encoder beats another on the same samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rvl_edge.offline.evaluation.wilson import proportion


@dataclass(frozen=True)
class Difference:
    """Accuracy of the first minus that of the second, on the same samples.

    Attributes:
        value: in [-1, 1].
        low, high: 95 % interval (Newcombe 1998, paired data, method 10).
        first_only: samples that only the first got right.
        second_only: samples that only the second got right.
        p: McNemar's exact test of no difference, two-sided.
    """

    value: float
    low: float
    high: float
    first_only: int
    second_only: int
    p: float


def difference(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> Difference:
    """Compare which samples were right, (N,) each, N at least 1."""
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    ours, theirs = int((first & ~second).sum()), int((~first & second).sum())
    count = len(first)
    one, two = proportion(both + ours, count), proportion(both + theirs, count)
    value, phi = (ours - theirs) / count, _correlation(both, ours, theirs, neither)
    down_one, up_one = one.value - one.low, one.high - one.value
    down_two, up_two = two.value - two.low, two.high - two.value
    low = value - _length(down_one, up_two, phi)
    high = value + _length(up_one, down_two, phi)
    return Difference(value, low, high, ours, theirs, _mcnemar(ours, theirs))


def _length(first: float, second: float, phi: float) -> float:
    return math.sqrt(max(0.0, first**2 - 2 * phi * first * second + second**2))


def _correlation(both: int, ours: int, theirs: int, neither: int) -> float:
    """Phi of the fourfold table, with Newcombe's correction for continuity where it is positive."""
    margins = (both + ours) * (theirs + neither) * (both + theirs) * (ours + neither)
    if not margins:
        return 0.0
    product, half = both * neither - ours * theirs, (both + ours + theirs + neither) / 2
    corrected = max(product - half, 0) if product > 0 else product
    return corrected / math.sqrt(margins)


def _mcnemar(ours: int, theirs: int) -> float:
    tosses = ours + theirs
    tail = sum(math.comb(tosses, k) for k in range(min(ours, theirs) + 1))
    return min(1.0, float(2 * tail / 2**tosses))
