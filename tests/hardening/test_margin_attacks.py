# SPDX-License-Identifier: Apache-2.0
"""Carlini & Wagner, the square attack and the standard one, on classifiers whose border is known exactly."""

from __future__ import annotations

import pytest
import torch
from linear_problem import distance_to_the_border, problem
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.apgd import Apgd, Loss
from rvl_edge.offline.hardening.attacks.carlini_wagner import CarliniWagner
from rvl_edge.offline.hardening.attacks.goals import classification
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.attacks.square import Square
from rvl_edge.offline.hardening.attacks.standard import StandardAttack
from rvl_edge.offline.hardening.threat import Norm, Threat


def test_carlini_wagner_finds_the_distance_to_the_border() -> None:
    weights, samples, labels = problem(count=12)
    found = CarliniWagner(steps=150, searches=6)(lambda points: points @ weights.T, samples, labels)
    assert ((found @ weights.T).argmax(dim=1) != labels).all()
    exact = distance_to_the_border(weights, samples, labels, dual=2.0)
    ratio = (found - samples).norm(dim=1) / exact
    assert ratio.min() > 0.999
    assert ratio.max() < 1.1


def test_carlini_wagner_returns_what_it_cannot_break() -> None:
    samples = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))

    def constant(points: Tensor) -> Tensor:
        return torch.stack([points.sum(dim=1) * 0 + 1, points.sum(dim=1) * 0], dim=1)

    found = CarliniWagner(steps=5, searches=2)(constant, samples, torch.tensor([0, 0, 1]))
    torch.testing.assert_close(found, samples, atol=0, rtol=0)


def test_the_hinge_leaves_a_sample_that_is_wrong_where_it_is() -> None:
    weights, samples, labels = problem()
    goal = classification(lambda points: points @ weights.T, (labels + 1) % 5, losses.hinged_margin)
    found = Pgd(Threat(Norm.LINF, 0.1), 5, 0.02, random_start=False)(goal, samples)
    torch.testing.assert_close(found, samples, atol=0, rtol=0)


def test_pgd_aims_at_a_wanted_class() -> None:
    weights, samples, labels = problem()
    wanted = (labels + 2) % 5
    goal = classification(lambda points: points @ weights.T, wanted, losses.towards)
    found = Pgd(Threat(Norm.LINF, 0.4), 20, 0.05)(goal, samples)
    assert ((found @ weights.T).argmax(dim=1) == wanted).all()


def test_the_square_attack_breaks_by_answers_alone_what_can_be_broken_and_nothing_else() -> None:
    weights, samples, labels = problem(count=30, size=3 * 6 * 6)
    pictures = samples.view(-1, 3, 6, 6)
    distance = distance_to_the_border(weights, samples, labels, dual=1.0)
    eps = 1.5 * float(distance.median())

    def logits(points: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        return points.flatten(1) @ weights.T

    def broken(queries: int) -> Tensor:
        attack = Square(Threat(Norm.LINF, eps), queries)
        found = attack(logits, pictures, labels, torch.Generator().manual_seed(0))
        assert ((found - pictures).abs() <= eps + 1e-6).all()
        with torch.no_grad():
            return logits(found).argmax(dim=1) != labels

    easy = distance < 0.7 * eps
    assert easy.sum() > 15
    assert not broken(1).any()  # the stripes it starts from break none, so the search is what is tested
    wrong = broken(400)
    assert wrong[easy].all()
    assert not wrong[distance > eps].any()


@pytest.mark.parametrize(("shape", "share"), [((50,), 0.5), ((3, 2, 4, 4), 0.3)], ids=["waveforms", "clips"])
def test_the_square_attack_searches_waveforms_and_clips(shape: tuple[int, ...], share: float) -> None:
    """It must reach a share of the slope that the best perturbation climbs, which the start does not."""
    samples = torch.full((6, *shape), 0.5)
    slope = torch.randn(shape, generator=torch.Generator().manual_seed(1)).sign()

    def logits(points: Tensor) -> Tensor:
        rise = ((points - 0.5) * slope).flatten(1).mean(dim=1)
        return torch.stack([0.1 * share - rise, rise * 0], dim=1)

    def broken(queries: int) -> Tensor:
        labels = torch.zeros(6, dtype=torch.int64)
        found = Square(Threat(Norm.LINF, 0.1), queries)(
            logits, samples, labels, torch.Generator().manual_seed(0)
        )
        return logits(found).argmax(dim=1) == 1

    assert not broken(1).any()
    assert broken(400).all()


@pytest.mark.parametrize("classes", [2, 3, 4, 12])
def test_the_standard_attack_does_what_the_number_of_classes_allows(classes: int) -> None:
    weights, samples, labels = problem(classes=classes)
    distance = distance_to_the_border(weights, samples, labels, dual=1.0)
    eps = float(distance.median())
    found = StandardAttack(Threat(Norm.LINF, eps), steps=40)(
        lambda points: points @ weights.T, samples, labels
    )
    wrong = (found @ weights.T).argmax(dim=1) != labels
    assert wrong[distance < 0.9 * eps].all()
    assert not wrong[distance > eps].any()


@pytest.mark.parametrize(("loss", "classes"), [("dlr", 2), ("dlr-targeted", 3)])
def test_a_loss_that_is_not_defined_is_refused(loss: Loss, classes: int) -> None:
    weights, samples, labels = problem(classes=classes)
    with pytest.raises(ConfigError, match=f"got {classes}, expected at least {classes + 1}"):
        Apgd(Threat(Norm.LINF, 0.1), loss, steps=2)(lambda points: points @ weights.T, samples, labels)
