# SPDX-License-Identifier: Apache-2.0
"""Pooling opinions over different labels: what must and must not change the result."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rvl_edge.trust.pooling import FLOOR, Opinion, pool

CONCEPTS = "abcdefgh"
ANY_WEIGHT = st.floats(0.01, 1)


@st.composite
def opinions(draw: st.DrawFn, weight: st.SearchStrategy[float] = ANY_WEIGHT) -> Opinion:
    names = draw(st.lists(st.sampled_from(CONCEPTS), min_size=2, max_size=6, unique=True))
    raw = [draw(st.floats(0.01, 1)) for _ in names]
    distribution = {name: each / sum(raw) for name, each in zip(names, raw, strict=True)}
    return Opinion(distribution, draw(weight))


@given(st.lists(opinions(), min_size=1, max_size=4), st.randoms())
def test_a_distribution_whatever_the_order(given_opinions: list[Opinion], random: object) -> None:
    pooled = pool(given_opinions)
    assert sum(pooled.values()) == pytest.approx(1)
    assert set(pooled) == set().union(*(each.distribution for each in given_opinions))
    shuffled = list(given_opinions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert pool(shuffled) == pytest.approx(pooled)


@given(st.lists(opinions(), min_size=1, max_size=3), opinions(st.just(0.0)))
def test_a_sense_without_trust_changes_nothing(trusted: list[Opinion], distrusted: Opinion) -> None:
    assert pool([*trusted, distrusted]) == pool(trusted)


@given(st.lists(opinions(), min_size=1, max_size=3), opinions(st.just(1e-6)))
def test_a_sense_with_next_to_no_trust_changes_next_to_nothing(
    trusted: list[Opinion], distrusted: Opinion
) -> None:
    before, after = pool(trusted), pool([*trusted, distrusted])
    for concept, probability in after.items():
        assert probability == pytest.approx(before.get(concept, 0.0), abs=1e-3)


@given(opinions(st.just(1.0)))
def test_one_trusted_sense_is_returned_as_it_is(opinion: Opinion) -> None:
    assert pool([opinion]) == pytest.approx(opinion.distribution)


@given(opinions(st.floats(0.05, 0.95)))
def test_distrust_flattens_and_keeps_the_order(opinion: Opinion) -> None:
    pooled = pool([opinion])
    assert max(pooled.values()) <= max(opinion.distribution.values()) + 1e-12
    for a in pooled:
        for b in pooled:
            if opinion.distribution[a] > opinion.distribution[b]:
                assert pooled[a] >= pooled[b]


@given(opinions(), opinions())
def test_a_sense_does_not_judge_what_it_cannot_see(first: Opinion, second: Opinion) -> None:
    unseen = sorted(set(first.distribution) - set(second.distribution))
    assume(len(unseen) >= 2)
    before, after = pool([first]), pool([first, second])
    for a, b in pairwise(unseen):
        assert after[a] / after[b] == pytest.approx(before[a] / before[b])


def test_what_is_likelier_than_chance_gains_and_an_unseen_concept_stays_between() -> None:
    camera = Opinion({"cat": 0.9, "car": 0.05, "ship": 0.05}, 1.0)
    imager = Opinion({"person": 0.5, "car": 0.5}, 1.0)
    pooled = pool([camera, imager])
    assert pooled["cat"] > pooled["person"] > pooled["car"] > pooled["ship"] * 0.99


def test_two_that_agree_are_surer_than_one() -> None:
    opinion = Opinion({"cat": 0.7, "dog": 0.3}, 1.0)
    assert pool([opinion, opinion])["cat"] == pytest.approx(0.49 / (0.49 + 0.09))


def test_no_sense_can_rule_a_concept_out_alone() -> None:
    denied = Opinion({"cat": 1.0, "dog": 0.0}, 1.0)
    sure = Opinion({"cat": FLOOR / 10, "dog": 1 - FLOOR / 10}, 1.0)
    assert pool([denied, sure])["dog"] == pytest.approx(0.5, abs=1e-3)


def test_nobody_counts() -> None:
    assert pool([]) == {}
    assert pool([Opinion({"cat": 1.0}, 0.0)]) == {}
