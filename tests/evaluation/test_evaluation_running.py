# SPDX-License-Identifier: Apache-2.0
"""Runs in parts, against one in a piece and against an encoder whose robustness is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from linear_encoder import Problem, problem
from linear_exam import linear_run

from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.arms import Effort
from rvl_edge.offline.evaluation.asking import CLEAN, Arm, attack_arm
from rvl_edge.offline.evaluation.budgets import Ball
from rvl_edge.offline.evaluation.results import Evaluation, read_evaluation, write_evaluation
from rvl_edge.offline.evaluation.running import Run, Share
from rvl_edge.offline.hardening.threat import Norm

EPS = 8 / 255
EFFORT = Effort(steps=20)
ARMS = (
    CLEAN,
    *(
        attack_arm(name, Ball(Norm.LINF, EPS), EFFORT)
        for name in ("fgsm", "pgd", "cw", "apgd-ce", "apgd-ce+t")
    ),
)


def _silent(title: str, done: int, total: int, rate: float) -> None:
    pass


def _whole(run: Run) -> Evaluation:
    run.compute(Share(), _silent)
    found = run.collect()
    assert found is not None
    return found


def _figures(evaluation: Evaluation) -> list[object]:
    """Everything but the time it took."""
    return [
        (each.condition, each.answers.tolist(), each.confidences.tolist(), each.losses.tolist())
        for each in evaluation.outcomes
    ]


@pytest.fixture(scope="module")
def case() -> Problem:
    return problem(count=60)


def test_every_arm_finds_what_a_linear_encoder_withstands(case: Problem, tmp_path: Path) -> None:
    found = _whole(linear_run(case, ARMS, tmp_path))
    distance = case.distance.numpy()
    clean = found.outcomes[0]
    assert (found.right(clean) == (distance > 0)).all()
    for each in found.outcomes[1:]:
        right = found.right(each)
        assert right[distance > EPS].all()  # no attack leaves its ball
        assert not right[distance == 0].any()
        assert right[(distance > 0) & (distance < 0.8 * EPS)].mean() < 0.2, each.condition.name
    standard = found.find("apgd-ce+t 8/255")
    assert standard is not None
    assert (found.right(standard) == (distance > EPS)).mean() > 0.97


def test_the_least_perturbation_is_counted_within_the_radius(case: Problem, tmp_path: Path) -> None:
    gap = case.samples @ case.encoder.weights.detach().T
    gap = gap.gather(1, case.labels[:, None]) - gap
    weights = case.encoder.weights.detach()
    slope = (weights[case.labels][:, None] - weights[None]).norm(dim=2)
    distance = (gap / slope).scatter(1, case.labels[:, None], torch.inf).amin(dim=1).clamp_min(0).numpy()
    radius = float(np.median(distance))
    found = _whole(linear_run(case, (attack_arm("cw-l2", Ball(Norm.L2, radius), Effort()),), tmp_path))
    right = found.right(found.outcomes[0])
    clear = np.abs(distance / radius - 1) > 0.03
    assert clear.sum() > 50
    assert (right[clear] == (distance > radius)[clear]).all()
    with pytest.raises(ConfigError, match="--norm l2"):
        attack_arm("cw-l2", Ball(Norm.LINF, EPS), Effort())


def test_the_worst_of_several_attacks_is_taken_sample_by_sample(case: Problem, tmp_path: Path) -> None:
    found = _whole(linear_run(case, ARMS, tmp_path))
    for row, withstood in enumerate(found.worst(found.outcomes)):
        answers = {int(each.answers[row]) for each in found.outcomes}
        assert withstood == (answers == {int(found.truths[row])})


def test_a_file_read_back_says_the_same(case: Problem, tmp_path: Path) -> None:
    found = _whole(linear_run(case, ARMS, tmp_path / "parts"))
    write_evaluation(found, tmp_path / "result.json")
    read = read_evaluation(tmp_path / "result.json")
    assert _figures(read) == _figures(found)
    assert read.outcomes[2].condition.settings["pgd_steps"] == 20
    assert read.subject == found.subject


def test_shares_in_any_order_give_the_result_of_one_process(case: Problem, tmp_path: Path) -> None:
    alone = _whole(linear_run(case, ARMS, tmp_path / "alone"))
    shared = linear_run(case, ARMS, tmp_path / "shared")
    for index in (2, 0):
        shared.compute(Share(index, 3), _silent)
        assert shared.collect() is None
    shared.compute(Share(1, 3), _silent)
    together = shared.collect()
    assert together is not None
    assert _figures(together) == _figures(alone)


def test_a_killed_run_computes_only_what_is_missing(case: Problem, tmp_path: Path) -> None:
    alone = _whole(linear_run(case, ARMS, tmp_path / "alone"))

    def killed(title: str, done: int, total: int, rate: float) -> None:
        if title.startswith("pgd") and done == 2:
            raise KeyboardInterrupt

    run = linear_run(case, ARMS, tmp_path / "killed")
    with pytest.raises(KeyboardInterrupt):
        run.compute(Share(), killed)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").rglob("*.json")}
    assert kept
    damaged = min(kept)
    damaged.write_bytes(damaged.read_bytes()[:40])
    again = _whole(linear_run(case, ARMS, tmp_path / "killed"))
    assert _figures(again) == _figures(alone)
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items() if path != damaged)


def test_another_encoder_samples_seed_or_condition_shares_no_part(case: Problem, tmp_path: Path) -> None:
    _whole(linear_run(case, ARMS[:2], tmp_path))
    before = len(list(tmp_path.rglob("*.json")))
    _whole(linear_run(case, ARMS[:3], tmp_path))
    after = len(list(tmp_path.rglob("*.json")))
    assert after == before * 3 // 2  # the first two conditions were there
    for other in (problem(count=60, seed=1), problem(count=59)):
        _whole(linear_run(other, ARMS[:1], tmp_path))
        assert len(list(tmp_path.rglob("*.json"))) > after
        after = len(list(tmp_path.rglob("*.json")))


def test_corruptions_meet_the_sensors_samples(case: Problem, tmp_path: Path) -> None:
    places: list[int] = []

    def black(sample: np.ndarray, place: int) -> np.ndarray:
        places.append(place)
        return np.zeros_like(sample)

    arm = Arm(
        CLEAN.condition.model_copy(update={"kind": "corruption", "name": "black", "severity": 2}), None, black
    )
    found = _whole(linear_run(case, (CLEAN, arm), tmp_path))
    outcome = found.find("black 2")
    assert outcome is not None
    assert places == list(range(60))
    assert len(set(outcome.answers.tolist())) == 1
