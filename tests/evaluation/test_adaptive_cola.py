# SPDX-License-Identifier: Apache-2.0
"""Views and scores with gradients against those of the robot."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rvl_edge.offline.evaluation.adaptive.cola import DifferentiableCola
from rvl_edge.offline.evaluation.adaptive.views import Variation, planned_views
from rvl_edge.refine import Cola, ColaSettings, frame_seed, make_views, whole_space
from rvl_edge.types import Modality

RANDOM = np.random.default_rng(0)
SHAPES = {
    Modality.IMAGE: (3, 24, 32),
    Modality.THERMAL: (3, 20, 20),
    Modality.AUDIO: (3, 16, 50),
    Modality.VIDEO: (3, 4, 24, 32),
}
TIGHT = ColaSettings(tolerance=1e-5, iterations=2000)


def unit(*shape: int) -> np.ndarray:
    rows = RANDOM.normal(size=shape)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("keep", [0.3, 0.8])
@pytest.mark.parametrize("modality", SHAPES)
def test_views_are_the_robots(modality: Modality, keep: float) -> None:
    inputs = RANDOM.normal(size=(3, *SHAPES[modality])).astype(np.float32)
    robots = np.stack([make_views(each, modality, 6, frame_seed(each), keep) for each in inputs])
    batch = torch.from_numpy(inputs)
    np.testing.assert_allclose(
        planned_views(batch, Variation(modality, 6, keep).own(batch)), robots, atol=1e-5
    )


def test_random_plans_differ_from_sample_to_sample_and_draw_to_draw() -> None:
    draws, inputs = np.random.default_rng(0), torch.zeros(3, 3, 24, 32)
    first, again = (Variation(Modality.IMAGE, 5, 0.5).drawn(inputs, draws) for _ in range(2))
    assert len({own[0] for own in (*first, *again)}) == 6


@pytest.mark.parametrize("projects", [True, False])
@pytest.mark.parametrize(("classes", "views", "prompts"), [(6, 5, 4), (2, 1, 1), (9, 3, 7)])
def test_scores_are_the_robots(classes: int, views: int, prompts: int, projects: bool) -> None:
    subspace = None if projects else whole_space(16)
    cola = Cola(unit(classes, prompts, 16), logit_scale=15.0, settings=TIGHT, subspace=subspace)
    samples = unit(4, views, 16)
    scores = DifferentiableCola(cola, torch.device("cpu"))(torch.from_numpy(samples))
    np.testing.assert_allclose(scores, np.stack([cola.scores(each) for each in samples]), atol=1e-5)


def test_gradients_are_those_of_the_scores_with_the_plan_held() -> None:
    """Uniform weights do not move, so by the envelope theorem <T, C> - ε H(T) has the plan's gradient."""
    cola = Cola(
        unit(4, 3, 8),
        logit_scale=1.0,
        settings=ColaSettings(weight_temperature=1e3, tolerance=1e-5, iterations=2000),
        subspace=whole_space(8),
    )
    twin = DifferentiableCola(cola, torch.device("cpu"))
    samples = torch.from_numpy(unit(1, 3, 8)).double().float().requires_grad_(True)
    twin(samples)[0, 2].backward()

    def value(x: np.ndarray) -> float:
        rows = x / np.linalg.norm(x, axis=1, keepdims=True)
        cost = 1 - rows @ cola.texts[2].astype(float).T
        kernel, u = np.exp(-cost / 0.1), np.ones(3)
        for _ in range(5000):
            v = 1 / 3 / (kernel.T @ u)
            u = 1 / 3 / (kernel @ v)
        plan = u[:, None] * kernel * v
        return float(-(plan * cost).sum() - 0.1 * (plan * np.log(plan)).sum())

    x = samples.detach()[0].double().numpy()
    step, numeric = 1e-5, np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        moved = np.zeros_like(x)
        moved[place] = step
        numeric[place] = (value(x + moved) - value(x - moved)) / (2 * step)
    assert samples.grad is not None
    np.testing.assert_allclose(samples.grad[0], numeric, atol=1e-4)


def test_gradients_with_nothing_held_are_those_of_the_scores_themselves() -> None:
    """Weights that move, a plan that moves: against differences of the robot's own formula in float64."""
    settings = ColaSettings(tolerance=1e-5, iterations=2000)
    cola = Cola(unit(3, 2, 8), logit_scale=6.0, settings=settings, subspace=whole_space(8))
    samples = torch.from_numpy(unit(1, 3, 8)).double().requires_grad_(True)
    through, held = (DifferentiableCola(cola, torch.device("cpu"), hold_plan=each) for each in (False, True))
    for each in (through, held):
        for name in ("_basis", "_texts", "_means"):
            setattr(each, name, getattr(each, name).double())
    (gradient,) = torch.autograd.grad(through(samples)[0, 1], samples)
    (partial,) = torch.autograd.grad(held(samples)[0, 1], samples)
    x = samples.detach()
    step, numeric = 1e-4, torch.zeros_like(x)
    for place in np.ndindex(*x.shape):
        moved = torch.zeros_like(x)
        moved[place] = step
        numeric[place] = (through(x + moved)[0, 1] - through(x - moved)[0, 1]) / (2 * step)
    torch.testing.assert_close(gradient, numeric, atol=2e-3, rtol=0)
    assert (partial - numeric).abs().max() > 0.02, "holding the plan leaves something out"
