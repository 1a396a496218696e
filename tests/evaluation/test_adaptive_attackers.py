# SPDX-License-Identifier: Apache-2.0
"""Attackers on a linear encoder with COLA behind it: each is the best at what it aims for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from linear_encoder import LinearEncoder, Plain
from torch import Tensor

from rvl_edge.offline.evaluation.adaptive.attackers import Attackers
from rvl_edge.offline.evaluation.adaptive.defences import (
    COLA,
    DEFENCES,
    GATED,
    PLAIN,
    PROJECTION,
    TRANSPORT,
    Defences,
)
from rvl_edge.offline.evaluation.adaptive.measuring import (
    ATTACKS,
    CLEAN,
    END_TO_END,
    OVER_VIEWS,
    THROUGH,
    TRANSFER,
    measure,
)
from rvl_edge.offline.evaluation.adaptive.views import Variation
from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.hardening.attacks.goals import Goal
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.threat import Norm, Threat
from rvl_edge.offline.towers import Encoder
from rvl_edge.refine import ColaSettings, Gate
from rvl_edge.types import Modality

CLASSES, PROMPTS, DIM, COUNT = 4, 3, 12, 24
SCALE, EPS = 20.0, 0.06
VARIATION = Variation(Modality.IMAGE, 4, 0.6)
SETTINGS = ColaSettings(views=VARIATION.count, keep=VARIATION.keep)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


RANDOM = np.random.default_rng(0)
TEXTS = unit(unit(RANDOM.normal(size=(CLASSES, 1, DIM))) + 0.1 * RANDOM.normal(size=(CLASSES, PROMPTS, DIM)))
ANCHORS = unit(TEXTS.mean(axis=1))
GENERATOR = torch.Generator().manual_seed(0)
# Smooth, so that they survive a crop, and blind to brightness, or every sample would look like every other.
COARSE = torch.nn.functional.interpolate(torch.randn(DIM, 3, 4, 4, generator=GENERATOR), scale_factor=2)
WEIGHTS = COARSE.flatten(1) - COARSE.flatten(1).mean(dim=1, keepdim=True)
SAMPLES = torch.rand(COUNT, 3, 8, 8, generator=GENERATOR)


@pytest.fixture
def attackers() -> Attackers:
    encoder = cast(Encoder, LinearEncoder(WEIGHTS))
    classifier = Classifier(encoder, Plain(), torch.from_numpy(ANCHORS), SCALE)
    return Attackers(classifier, VARIATION, Pgd(Threat(Norm.LINF, EPS), 10, EPS / 4))


def defences(margin: float = 0.5) -> Defences:
    return Defences(TEXTS, ANCHORS, SCALE, SETTINGS, Gate(margin=margin))


def truth(attackers: Attackers) -> Tensor:
    with torch.no_grad():
        return attackers.classifier(SAMPLES).argmax(dim=1)


def features(attackers: Attackers, samples: Tensor) -> Tensor:
    with torch.no_grad():
        return attackers.features(samples, VARIATION.own)


def margins(scores: np.ndarray, labels: Tensor) -> float:
    """Mean of the true score less the best other."""
    own = np.arange(len(scores)), labels.numpy()
    others = scores.copy()
    others[own] = -np.inf
    return float((scores[own] - others.max(axis=1)).mean())


def test_each_attack_keeps_to_its_ball_and_can_be_repeated(attackers: Attackers) -> None:
    labels, cola = truth(attackers), defences().cola
    for attack in (
        attackers.transfer,
        attackers.over_views,
        lambda *x: attackers.end_to_end(cola, *x),
        lambda *x: attackers.end_to_end(cola, *x, hold_plan=False),
    ):
        found = attack(SAMPLES, labels)
        assert (found - SAMPLES).abs().max() <= EPS + 1e-6
        assert found.min() >= 0
        assert found.max() <= 1
        assert torch.equal(found, attack(SAMPLES, labels))


def test_who_goes_through_cola_lowers_its_scores_most(attackers: Attackers) -> None:
    labels, cola = truth(attackers), defences().cola
    attacked = (attackers.transfer(SAMPLES, labels), attackers.end_to_end(cola, SAMPLES, labels))
    plainly, through = (
        margins(np.stack([cola.scores(each) for each in features(attackers, x).numpy()]), labels)
        for x in attacked
    )
    assert through < plainly - 0.05


def test_who_averages_views_lowers_their_mean_most(attackers: Attackers) -> None:
    labels = truth(attackers)
    attacked = (attackers.transfer(SAMPLES, labels), attackers.over_views(SAMPLES, labels))
    plainly, averaged = (
        margins(features(attackers, x).mean(dim=1).numpy() @ ANCHORS.T, labels) for x in attacked
    )
    assert averaged < plainly - 0.05


def test_a_batch_holds_together(attackers: Attackers) -> None:
    labels = truth(attackers)
    outcomes = {each.attack: each for each in measure(attackers, defences(), SAMPLES, labels)}
    assert tuple(outcomes) == ATTACKS
    right = {
        (verdict.defence, attack): verdict.right
        for attack, each in outcomes.items()
        for verdict in each.verdicts
    }
    assert {defence for defence, attack in right if attack != THROUGH} == set(DEFENCES)
    assert {defence for defence, attack in right if attack == THROUGH} == {COLA, GATED}
    assert right[PLAIN, CLEAN].all()
    assert not right[PLAIN, TRANSFER].all()
    for attack in (CLEAN, TRANSFER, OVER_VIEWS):
        same = right[PROJECTION, attack] == right[PLAIN, attack]
        assert same.all(), "a full projection moves no arg-max"
    for (defence, _), each in right.items():
        assert not (each & ~right[defence, CLEAN]).any(), "what was wrong before is wrong after"
    for attack in (END_TO_END, THROUGH):
        assert not (right[GATED, attack] & ~right[GATED, TRANSFER]).any()
    assert 0 < outcomes[CLEAN].opened.mean() < 1


def test_samples_that_are_wrong_anyway_are_not_attacked(attackers: Attackers) -> None:
    labels = truth(attackers)
    struck: list[int] = []

    class Counting(Pgd):
        def __call__(self, goal: Goal, samples: Tensor, *args: Any, **settings: Any) -> Tensor:
            struck.append(len(samples))
            return super().__call__(goal, samples, *args, **settings)

    pgd = Counting(attackers.pgd.threat, attackers.pgd.steps, attackers.pgd.step_size)
    half = torch.where(torch.arange(COUNT) < COUNT // 2, labels, (labels + 1) % CLASSES)
    clean, *_ = measure(replace(attackers, pgd=pgd), defences(), SAMPLES, half)
    right = {each.defence: each.right for each in clean.verdicts}
    refined = right[COLA] | right[GATED]
    anyone = refined | right[PLAIN] | right[PROJECTION] | right[TRANSPORT]
    counts = [int(each.sum()) for each in (anyone, anyone, right[TRANSPORT], refined, refined)]
    assert struck == counts
    assert max(counts) < COUNT


@pytest.mark.parametrize(("margin", "same"), [(0.0, PLAIN), (1.0, COLA)])
def test_a_gate_that_never_or_always_opens(attackers: Attackers, margin: float, same: str) -> None:
    labels = truth(attackers)
    for each in measure(attackers, defences(margin), SAMPLES, labels):
        if each.attack in (CLEAN, TRANSFER, OVER_VIEWS):
            right = {verdict.defence: verdict.right for verdict in each.verdicts}
            np.testing.assert_array_equal(right[GATED], right[same])
            assert (each.opened == bool(margin)).all()


def test_the_tower_is_attacked_in_the_precision_asked_for_and_answers_in_float32(
    attackers: Attackers,
) -> None:
    labels = truth(attackers)
    half = replace(attackers, classifier=replace(attackers.classifier, precision=torch.bfloat16))
    assert not torch.equal(half.transfer(SAMPLES, labels), attackers.transfer(SAMPLES, labels))
    clean, halves = (next(measure(each, defences(), SAMPLES, labels)) for each in (attackers, half))
    for one, other in zip(clean.verdicts, halves.verdicts, strict=True):
        np.testing.assert_array_equal(one.right, other.right)
