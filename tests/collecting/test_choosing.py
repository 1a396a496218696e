# SPDX-License-Identifier: Apache-2.0
"""Stratified choice of a stream."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rvl_edge.offline.collecting.choosing import Item, choose


def stream(sizes: dict[tuple[str, int], int]) -> list[Item]:
    return [
        Item("bag", f"{label}-{span}-{at}", span, label)
        for (label, span), size in sizes.items()
        for at in range(size)
    ]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("ab"), st.integers(0, 15)), st.integers(1, 30), min_size=1, max_size=8
    ),
    st.integers(1, 60),
    st.integers(0, 99),
)
def test_no_label_and_of_a_label_no_span_gets_two_more_than_another_that_has_some_left(
    sizes: dict[tuple[str, int], int], count: int, seed: int
) -> None:
    items = stream(sizes)
    chosen = choose(items, count, seed)
    assert len(set(chosen)) == len(chosen) == min(count, len(items))
    for label in "ab":
        got = Counter(item.span for item in chosen if item.label == label)
        left = [got[span] for (own, span), size in sizes.items() if own == label and got[span] < size]
        assert max(got.values(), default=0) <= min(left, default=99) + 1
    totals = {label: sum(size for (own, _), size in sizes.items() if own == label) for label in "ab"}
    labels = Counter(item.label for item in chosen)
    left = [labels[label] for label, total in totals.items() if labels[label] < total]
    assert max(labels.values()) <= min(left, default=99) + 1


def test_the_same_seed_chooses_the_same_and_another_seed_does_not() -> None:
    items = stream({("a", span): 50 for span in range(16)})
    assert choose(items, 32, 1) == choose(iter(items), 32, 1)
    assert choose(items, 32, 1) != choose(items, 32, 2)


def test_every_place_of_a_stratum_is_as_likely() -> None:
    items = stream({("a", 0): 20})
    counts = Counter(item.place for seed in range(2000) for item in choose(items, 5, seed))
    shares = np.array([counts[item.place] for item in items]) / 2000
    assert abs(shares - 0.25).max() < 0.05  # 5 standard deviations of a share of 2000
