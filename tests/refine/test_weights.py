# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from rvl_edge.refine.weights import text_weights, view_weights

_Long = np.longdouble


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits.astype(_Long) - logits.max())
    return shares / shares.sum()


def entropy(shares: np.ndarray) -> np.longdouble:
    return -np.sum(shares * np.log(shares))


def view_oracle(logits: np.ndarray, temperature: float) -> np.ndarray:
    return softmax(np.array([-entropy(softmax(row)) / temperature for row in logits]))


def text_oracle(logits: np.ndarray, prompt_logits: np.ndarray, temperature: float) -> np.ndarray:
    rows = []
    for label, own in enumerate(prompt_logits):
        replaced = [np.where(np.arange(len(logits)) == label, each, logits) for each in own]
        rows.append(softmax(np.array([-entropy(softmax(row)) / temperature for row in replaced])))
    return np.array(rows)


@pytest.mark.parametrize("scale", [1, 20, 100, 300])
@pytest.mark.parametrize("temperature", [0.05, 0.5, 5.0])
def test_agrees_with_entropies_computed_one_by_one(scale: float, temperature: float) -> None:
    random = np.random.default_rng(0)
    views = (scale * random.uniform(-1, 1, (5, 7))).astype(np.float32)
    prompts = (scale * random.uniform(-1, 1, (7, 4))).astype(np.float32)
    np.testing.assert_allclose(
        view_weights(views, temperature), view_oracle(views, temperature).astype(float), atol=2e-6
    )
    np.testing.assert_allclose(
        text_weights(views[0], prompts, temperature, np.arange(7)),
        text_oracle(views[0], prompts, temperature).astype(float),
        atol=1e-5,
    )


def test_the_surer_view_weighs_more() -> None:
    sure, unsure = [9.0, 0, 0, 0], [1.0, 1, 1, 0]
    weights = view_weights(np.array([unsure, sure, unsure], np.float32), temperature=0.5)
    assert weights[1] > weights[0] == weights[2]
    assert weights.sum() == pytest.approx(1)


def test_the_prompt_that_makes_its_class_stand_out_weighs_more() -> None:
    logits = np.array([3, 1, 0], np.float32)
    prompts = np.array([[3, 6], [1, 3], [0, 0]], np.float32)
    weights = text_weights(logits, prompts, 0.5, np.arange(3))
    assert weights[0, 1] > weights[0, 0], "more of the winner: surer"
    assert weights[1, 1] < weights[1, 0], "more of the runner-up: less sure"
    assert weights[2, 0] == weights[2, 1]


def test_one_class_leaves_nothing_to_be_unsure_of() -> None:
    logits = np.array([[5.0], [-3.0]], np.float32)
    np.testing.assert_array_equal(view_weights(logits, 0.5), [0.5, 0.5])
    np.testing.assert_array_equal(
        text_weights(logits[0], np.array([[5.0, 1]], np.float32), 0.5, np.arange(1)), [[0.5, 0.5]]
    )
