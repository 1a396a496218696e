# SPDX-License-Identifier: Apache-2.0
"""Paired differences against SciPy's tests and against how often the interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rvl_edge.offline.evaluation.paired import Difference, difference


def _table(both: int, first: int, second: int, neither: int) -> Difference:
    cells = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second
    pairs = np.array(cells + [(False, False)] * neither)
    return difference(pairs[:, 0], pairs[:, 1])


@pytest.mark.parametrize(("first", "second"), [(12, 2), (0, 0), (0, 5), (40, 41), (600, 500)])
def test_p_is_the_sign_tests(first: int, second: int) -> None:
    found = _table(30, first, second, 7)
    tosses = first + second
    expected = stats.binomtest(first, tosses).pvalue if tosses else 1.0
    assert found.p == pytest.approx(expected)
    assert found.value == pytest.approx((first - second) / (37 + tosses))


def test_independent_answers_have_the_interval_of_two_wilsons() -> None:
    """With no correlation the interval is the one of unpaired proportions, Newcombe's other method 10."""
    found = _table(25, 25, 25, 25)
    wilson = stats.binomtest(50, 100).proportion_ci(method="wilson")
    reach = np.hypot(0.5 - wilson.low, wilson.high - 0.5)
    assert (found.low, found.high) == (pytest.approx(-reach, abs=1e-5), pytest.approx(reach, abs=1e-5))


def test_agreement_shortens_the_interval_less_by_newcombes_correction_for_continuity() -> None:
    """Newcombe 1998, method 10, worked by hand: 32 of 50 right and 18 of 50, of which 18 are the same."""
    found = _table(18, 14, 0, 18)
    phi = (18 * 18 - 14 * 0 - 50 / 2) / np.sqrt(32 * 18 * 18 * 32)
    one, two = (stats.binomtest(right, 50).proportion_ci(method="wilson") for right in (32, 18))
    below, above = (0.64 - one.low, two.high - 0.36), (one.high - 0.64, 0.36 - two.low)
    reach = [np.sqrt(a**2 - 2 * phi * a * b + b**2) for a, b in (below, above)]
    assert found.low == pytest.approx(0.28 - reach[0], abs=1e-6)
    assert found.high == pytest.approx(0.28 + reach[1], abs=1e-6)


@pytest.mark.parametrize("cells", [(0.5, 0.15, 0.1, 0.25), (0.9, 0.06, 0.02, 0.02)])
def test_the_interval_holds_the_truth_about_nineteen_times_of_twenty(cells: tuple[float, ...]) -> None:
    truth = cells[1] - cells[2]
    draws = np.random.default_rng(5).multinomial(120, cells, size=1500)
    held = [found.low <= truth <= found.high for found in (_table(*map(int, each)) for each in draws)]
    assert 0.93 <= np.mean(held) <= 0.98


def test_swapping_sides_turns_the_sign() -> None:
    ours, theirs = _table(50, 20, 5, 25), _table(50, 5, 20, 25)
    assert (ours.value, ours.low, ours.high) == pytest.approx((-theirs.value, -theirs.high, -theirs.low))
