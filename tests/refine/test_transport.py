# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refine_problems import Problem, aligned_problem, random_problem

from rvl_edge.errors import BadShape, ConfigError, NonFinite
from rvl_edge.refine import Sinkhorn, Transport

PROBLEMS = {
    "random": random_problem(0, 20, 5, 8),
    "random, as large as the paper's": random_problem(1, 30, 5, 50),
    "embeddings": aligned_problem(2),
    "embeddings, one prompt": aligned_problem(3, prompts=1),
    "embeddings, one view": aligned_problem(4, views=1),
}


def solve(
    problem: Problem, epsilon: float = 0.1, iterations: int = 10_000, tolerance: float = 1e-5
) -> Transport:
    solver = Sinkhorn(*problem.cost.shape, epsilon=epsilon, iterations=iterations, tolerance=tolerance)
    return solver.solve(problem.cost, problem.a, problem.b)


def normalised(weights: np.ndarray) -> np.ndarray:
    return weights.astype(np.float64) / weights.sum(dtype=np.float64)


def entropic_oracle(problem: Problem, epsilon: float) -> list[float]:
    a = normalised(problem.a)
    plans = [
        ot.sinkhorn(
            a, normalised(b), cost.astype(float), epsilon, "sinkhorn_log", numItermax=100_000, stopThr=1e-10
        )
        for cost, b in zip(problem.cost, problem.b, strict=True)
    ]
    return [float((plan * cost).sum()) for plan, cost in zip(plans, problem.cost, strict=True)]


def exact_oracle(problem: Problem) -> np.ndarray:
    a = normalised(problem.a)
    pairs = zip(problem.cost, problem.b, strict=True)
    return np.array([ot.emd2(a, normalised(b), cost.astype(float)) for cost, b in pairs])


@pytest.mark.parametrize("epsilon", [0.5, 0.1, 0.05])
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())
def test_agrees_with_pot(problem: Problem, epsilon: float) -> None:
    solution = solve(problem, epsilon, tolerance=1e-4)
    assert not solution.log_domain
    np.testing.assert_allclose(solution.cost, entropic_oracle(problem, epsilon), atol=1e-4)


def test_agrees_with_pot_where_float32_underflows() -> None:
    problem = random_problem(5, 4, 5, 8)
    solution = solve(problem, epsilon=0.005, tolerance=1e-4)
    assert np.exp(-np.float32(problem.cost.max() / 0.005)) == 0, "the case must be one that underflows"
    assert solution.log_domain
    np.testing.assert_allclose(solution.cost, entropic_oracle(problem, 0.005), atol=1e-4)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())
def test_is_near_the_exact_optimum_and_ranks_as_it(problem: Problem) -> None:
    epsilon = 0.005
    exact, entropic = exact_oracle(problem), solve(problem, epsilon, tolerance=1e-4).cost
    slack = epsilon * np.log(problem.cost[0].size)  # <T_ε, C> - <T*, C> <= ε (H(T_ε) - H(T*)) <= ε log NM
    assert (entropic >= exact - 1e-4).all()
    assert (entropic <= exact + slack + 1e-4).all()
    apart = exact[:, None] + slack + 2e-4 < exact[None, :]
    assert (entropic[:, None] < entropic[None, :])[apart].all()


def test_one_wide_problem_sends_all_to_logs_and_changes_no_other() -> None:
    plain = aligned_problem(6)
    wide = Problem(plain.cost.copy(), plain.a, plain.b)
    wide.cost[0] *= np.linspace(0, 50, wide.cost[0].size, dtype=np.float32).reshape(wide.cost[0].shape)
    expected, got = solve(plain), solve(wide)
    assert (expected.log_domain, got.log_domain) == (False, True)
    np.testing.assert_allclose(got.plan[1:], expected.plan[1:], atol=1e-5)
    np.testing.assert_allclose(got.cost[1:], expected.cost[1:], atol=2e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(1, 12),
    st.sampled_from([0.5, 0.1, 0.02]),
)
def test_plans_have_the_marginals(seed: int, classes: int, views: int, prompts: int, epsilon: float) -> None:
    problem = random_problem(seed, classes, views, prompts)
    solution = solve(problem, epsilon, tolerance=1e-4)
    assert solution.error <= 1e-4
    assert (solution.plan >= 0).all()
    assert np.abs(solution.plan.sum(axis=2) - problem.a).sum(axis=1).max() <= 1.1e-4
    np.testing.assert_allclose(solution.plan.sum(axis=1), problem.b, atol=1e-6)
    np.testing.assert_allclose(solution.cost, (solution.plan * problem.cost).sum(axis=(1, 2)), atol=1e-5)


@pytest.mark.parametrize("epsilon", [0.1, 0.005])
def test_weight_zero_moves_nothing(epsilon: float) -> None:
    problem = random_problem(7, 3, 4, 5)
    problem.a[:] = [0.5, 0, 0.25, 0.25]
    problem.b[:, 2] = 0
    problem.b[:] /= problem.b.sum(axis=1, keepdims=True)
    solution = solve(problem, epsilon, tolerance=1e-4)
    assert (solution.plan[:, 1] == 0).all()
    assert (solution.plan[:, :, 2] == 0).all()
    kept = Problem(
        problem.cost[:, [0, 2, 3]][:, :, [0, 1, 3, 4]], problem.a[[0, 2, 3]], problem.b[:, [0, 1, 3, 4]]
    )
    np.testing.assert_allclose(solution.cost, entropic_oracle(kept, epsilon), atol=1e-4)


def test_equal_costs_give_the_independent_plan() -> None:
    problem = random_problem(8, 3, 4, 5)
    problem.cost[:] = 0.7
    np.testing.assert_allclose(solve(problem).plan, problem.a[:, None] * problem.b[:, None, :], rtol=1e-5)


def test_says_when_it_did_not_converge() -> None:
    problem = random_problem(9, 3, 5, 8)
    cut = solve(problem, epsilon=0.05, iterations=2)
    assert cut.iterations == 2
    assert cut.error > 1e-3
    np.testing.assert_allclose(
        np.abs(cut.plan.sum(axis=2) - problem.a).sum(axis=1).max(), cut.error, rtol=1e-3
    )


def test_a_solver_can_be_used_again() -> None:
    first, second = random_problem(10, 3, 4, 5), random_problem(11, 3, 4, 5)
    solver = Sinkhorn(3, 4, 5, epsilon=0.1, iterations=1000, tolerance=1e-4)
    before = solver.solve(first.cost, first.a, first.b).cost
    other = solver.solve(second.cost, second.a, second.b).cost
    again = solver.solve(first.cost, first.a, first.b).cost
    np.testing.assert_array_equal(before, again)
    assert np.abs(before - other).max() > 1e-3


def test_refuses_bad_problems() -> None:
    good = random_problem(12, 2, 3, 4)
    solver = Sinkhorn(2, 3, 4, epsilon=0.1, iterations=100, tolerance=1e-4)
    with pytest.raises(BadShape, match=r"cost \(2, 3, 3\)"):
        solver.solve(good.cost[:, :, :3], good.a, good.b)
    for value in (np.nan, np.inf, -np.inf):
        cost = good.cost.copy()
        cost[1, 2, 3] = value
        with pytest.raises(NonFinite, match="costs"):
            solver.solve(cost, good.a, good.b)
    for weights in (good.a * 2, -good.a, good.a * np.nan):
        with pytest.raises(ConfigError, match="no distribution"):
            solver.solve(good.cost, weights, good.b)
    for wrong in ({"epsilon": 0.0}, {"iterations": 0}, {"tolerance": -1.0}, {"epsilon": np.nan}):
        with pytest.raises(ConfigError, match="positive"):
            Sinkhorn(2, 3, 4, **{"epsilon": 0.1, "iterations": 100, "tolerance": 1e-4, **wrong})
