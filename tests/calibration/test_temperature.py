# SPDX-License-Identifier: Apache-2.0
"""The temperature against another optimiser, a known answer, and the edges of the problem."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from rvl_edge.offline.calibration.temperature import fit_temperature, softmax


def problem(count: int, classes: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `sharpness` times those that the truth was drawn from."""
    random = np.random.default_rng(seed)
    logits = 2 * random.normal(size=(count, classes))
    chances = np.exp(log_softmax(logits, axis=1)).cumsum(axis=1)
    truth = (random.random(count)[:, None] > chances).sum(axis=1).clip(max=classes - 1)
    return sharpness * logits, truth


def oracle(logits: np.ndarray, truth: np.ndarray) -> float:
    """Brent's method on the negative log likelihood, of ten samples more that are answered as at 1."""

    def loss(log_temperature: float) -> float:
        scores = log_softmax(logits / np.exp(log_temperature), axis=1)
        seen = -scores[np.arange(len(truth)), truth].mean()
        believed = -(np.exp(log_softmax(logits, axis=1)) * scores).sum(axis=1).mean()
        return float(len(truth) * seen + 10 * believed)

    found = minimize_scalar(loss, bounds=(-6, 6), method="bounded", options={"xatol": 1e-9})
    return float(np.exp(found.x))


@pytest.mark.parametrize(("count", "classes"), [(12, 2), (80, 10), (2000, 4)])
@pytest.mark.parametrize("sharpness", [0.2, 1.0, 30.0])
def test_it_is_the_one_that_another_optimiser_finds(count: int, classes: int, sharpness: float) -> None:
    logits, truth = problem(count, classes, sharpness)
    assert fit_temperature(logits, truth) == pytest.approx(oracle(logits, truth), rel=1e-4)


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 5.0])
def test_it_recovers_how_much_too_sharp_logits_are(sharpness: float) -> None:
    assert fit_temperature(*problem(20_000, 8, sharpness)) == pytest.approx(sharpness, rel=0.05)


def test_shifting_a_samples_logits_changes_nothing() -> None:
    logits, truth = problem(200, 5, 2.0)
    shifted = logits + np.random.default_rng(1).normal(size=(200, 1)) * 500
    assert fit_temperature(shifted, truth) == pytest.approx(fit_temperature(logits, truth), rel=1e-6)
    assert softmax(shifted, 2.0) == pytest.approx(softmax(logits, 2.0), abs=1e-10)


def test_answers_that_are_all_right_do_not_make_it_certain_of_everything() -> None:
    truth = np.arange(30) % 3
    logits = np.eye(3)[truth]
    before, after = (softmax(logits, each).max() for each in (1.0, fit_temperature(logits, truth)))
    assert after == pytest.approx((30 + 10 * before) / 40)


def test_answers_that_are_all_wrong_make_it_doubt_everything() -> None:
    truth = np.arange(3000) % 3
    logits = 9 * np.eye(3)[(truth + 1) % 3]
    assert softmax(logits, fit_temperature(logits, truth)).max() == pytest.approx(1 / 3, abs=0.01)


def test_few_samples_move_it_less_than_many() -> None:
    few, many = (fit_temperature(*problem(count, 4, 3.0)) for count in (9, 9000))
    assert 1 < few < many
