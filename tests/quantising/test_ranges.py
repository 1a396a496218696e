# SPDX-License-Identifier: Apache-2.0
"""Ranges of activations from histograms that were filled batch by batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rvl_edge.offline.quantising.ranges import METHODS, Histogram


def filled(*batches: np.ndarray) -> Histogram:
    histogram = Histogram()
    for batch in batches:
        histogram.add(batch.astype(np.float32))
    return histogram


@example([1.401298464324817e-45], 0)
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=50), st.integers(0, 2**31))
def test_minmax_is_the_largest_magnitude_in_any_order(values: list[float], seed: int) -> None:
    array = np.array(values, np.float32)
    largest = float(np.abs(array).max())
    shuffled = np.random.default_rng(seed).permutation(array)
    found = filled(*np.array_split(shuffled, min(4, len(array)))).limit("minmax")
    assert found == (largest or 1.0)


def test_percentile_is_numpys_within_two_bins_although_the_range_grew_on_the_way() -> None:
    values = np.random.default_rng(0).standard_t(3, 200_000)
    smallest_first = np.array_split(values[np.argsort(np.abs(values))], 7)
    limit = filled(*smallest_first).limit("percentile")
    assert limit == pytest.approx(np.quantile(np.abs(values), 0.9999), abs=4 * np.abs(values).max() / 2048)


def test_entropy_cuts_an_outlier_off_and_leaves_an_even_distribution_whole() -> None:
    random = np.random.default_rng(0)
    spiky = np.append(random.normal(size=100_000), 60.0)
    assert filled(spiky).limit("entropy") < 15
    even = random.uniform(-1, 1, 100_000)
    assert filled(even).limit("entropy") > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_no_range_is_empty_or_beyond_what_was_seen(method: str) -> None:
    assert filled(np.zeros(10)).limit(method) == 1.0
    seen = filled(np.array([0.0]), np.array([3e-6, -5e-6]))
    assert 0 < seen.limit(method) <= np.float32(5e-6)
