# SPDX-License-Identifier: Apache-2.0
"""The thresholds keep their promise, whatever the scores are, and decisions follow them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvl_edge.bundle.calibration import ConfidenceEntry
from rvl_edge.errors import ConfigError
from rvl_edge.offline.calibration.answers import Answers
from rvl_edge.offline.calibration.fitting import Fitted, Fold, apply, cross_folds, fit, measure
from rvl_edge.offline.calibration.temperature import fit_temperature
from rvl_edge.trust.confidence import conformal_threshold, decide
from rvl_edge.types import UNKNOWN, Label

shares = st.floats(0, 1, allow_nan=False)


def entry(unknown_below: float, plausible_from: float) -> ConfidenceEntry:
    return ConfidenceEntry(
        label_set="x",
        labels=("a", "b", "c", "d"),
        templates=("{}",),
        temperature=1.0,
        alpha=0.1,
        unknown_below=unknown_below,
        plausible_from=plausible_from,
        samples=99,
    )


@given(st.lists(shares, min_size=21, max_size=60), st.sampled_from((0.05, 0.1, 0.2, 0.5)))
def test_of_exchangeable_scores_no_more_than_alpha_fall_below_the_others_threshold(
    values: list[float], alpha: float
) -> None:
    """Each of n + 1 scores in turn is the further one: that is what exchangeability averages over."""
    scores = np.array(values)
    below = sum(
        score < conformal_threshold(np.delete(scores, place), alpha) for place, score in enumerate(scores)
    )
    assert below <= math.floor(alpha * len(scores) + 1e-9)


def test_the_threshold_is_as_high_as_the_promise_allows() -> None:
    scores = np.random.default_rng(0).permutation(99) / 100
    assert conformal_threshold(scores, 0.1) == pytest.approx(0.09)  # the 10th smallest of 0, 0.01, ...
    assert conformal_threshold(scores[:19], 0.05) == scores[:19].min()


def test_too_few_scores_promise_nothing_and_say_how_many_would() -> None:
    with pytest.raises(ConfigError, match="19 or more"):
        conformal_threshold(np.linspace(0, 1, 18), 0.05)


@given(st.lists(shares, min_size=4, max_size=4, unique=True), shares, shares)
def test_decisions_and_plausible_labels_by_their_definition(
    weights: list[float], unknown_below: float, plausible_from: float
) -> None:
    ranked = sorted(zip("abcd", weights, strict=True), key=lambda pair: -pair[1])
    labels = [Label(name, weight) for name, weight in ranked]
    verdict = decide(labels, entry(unknown_below, plausible_from))
    assert (verdict.decision == UNKNOWN) == (max(weights) < unknown_below)
    assert verdict.decision in (UNKNOWN, ranked[0][0])
    assert verdict.plausible[0] == ranked[0][0]
    assert set(verdict.plausible[1:]) == {name for name, weight in ranked[1:] if weight >= plausible_from}
    assert list(verdict.plausible) == [name for name, _ in ranked if name in verdict.plausible]


def test_without_thresholds_the_first_label_is_the_decision() -> None:
    verdict = decide([Label("a", 0.26), Label("b", 0.25)], None)
    assert (verdict.decision, verdict.plausible) == ("a", ())


def made_up(count: int, seed: int, classes: int = 6, sharpness: float = 3.0) -> Answers:
    """A classifier that is sure of the wrong things: noisy logits, three times too sharp."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, count)
    logits = random.normal(size=(count, classes)) + 2.0 * np.eye(classes)[truth]
    return Answers(sharpness * logits, truth)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_coverage_of_fresh_samples_is_what_was_promised(alpha: float) -> None:
    """On average over calibrations, and no more than the finite-sample bound above it."""
    fresh, draws, count = made_up(5_000, seed=999), 150, 149
    fitted = [fit(made_up(count, seed), alpha) for seed in range(draws)]
    applied = [apply(each, fresh) for each in fitted]
    samples = fitted[0].samples
    spread = 4 * math.sqrt(alpha * (1 - alpha) / (samples + 2) / draws + 0.25 / 5_000)
    for kept in ([each.answered.mean() for each in applied], [each.covered.mean() for each in applied]):
        assert 1 - alpha - spread <= np.mean(kept) <= 1 - alpha + 1 / (samples + 1) + spread


def test_the_robot_and_the_measurement_decide_alike() -> None:
    answers = made_up(200, seed=3)
    fitted = fit(made_up(200, seed=4), 0.1)
    applied = apply(fitted, answers)
    thresholds = entry(fitted.unknown_below, fitted.plausible_from)
    for row, probabilities in enumerate(applied.after):
        labels = [Label(str(place), probabilities[place]) for place in np.argsort(-probabilities)]
        verdict = decide(labels, thresholds)
        assert (verdict.decision != UNKNOWN) == applied.answered[row]
        assert {int(name) for name in verdict.plausible} == set(np.flatnonzero(applied.plausible[row]))


def test_the_first_label_is_plausible_even_below_the_threshold() -> None:
    applied = apply(Fitted(1.0, 0.0, plausible_from=1.0, samples=99), made_up(50, seed=3))
    assert (applied.after < 1).all()
    np.testing.assert_array_equal(applied.plausible.argmax(axis=1), applied.after.argmax(axis=1))
    assert (applied.plausible.sum(axis=1) == 1).all()


def test_the_temperature_never_sees_the_samples_of_the_thresholds() -> None:
    answers = made_up(300, seed=7)
    third = np.arange(300) % 3 == 2
    sharper_elsewhere = np.where(third[:, None], answers.logits, 9 * answers.logits)
    wanted = fit_temperature(answers.logits[third], answers.truth[third])
    assert fit(Answers(sharper_elsewhere, answers.truth), 0.1).temperature == wanted


def test_cross_fitting_measures_each_sample_once_and_never_fits_on_it() -> None:
    answers = Answers(np.arange(46.0).reshape(23, 2), np.zeros(23, np.int64))
    folds = cross_folds(answers, 5)
    seen = np.concatenate([each.measuring.logits[:, 0] for each in folds])
    assert sorted(seen) == sorted(answers.logits[:, 0])
    for each in folds:
        assert not set(each.measuring.logits[:, 0]) & set(each.fitting.logits[:, 0])
        assert len(each.measuring) + len(each.fitting) == 23


def test_samples_of_a_label_that_is_not_in_the_set_are_measured_but_not_fitted_on() -> None:
    answers = made_up(300, seed=5)
    kept = measure([Fold(answers.without(2), answers.without(2))], 0.1)
    inside = answers.take(answers.truth != 2)
    alone = fit(Answers(np.delete(inside.logits, 2, 1), inside.truth - (inside.truth > 2)), 0.1)
    assert len(kept.truth) == 300
    assert np.array_equal(kept.truth < 0, answers.truth == 2)
    assert not kept.covered[kept.truth < 0].any()
    assert np.array_equal(kept.answered, kept.after.max(axis=1) >= alone.unknown_below)
