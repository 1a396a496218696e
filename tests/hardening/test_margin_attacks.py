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


def test_the_square_attack_needs_no_gradient_and_never_beats_the_exact_border() -> None:
    weights, samples, labels = problem(count=30, size=3 * 6 * 6)
    pictures = samples.view(-1, 3, 6, 6)
    distance = distance_to_the_border(weights, samples, labels, dual=1.0)
    eps = float(distance.median())

    def logits(points: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        return points.flatten(1) @ weights.T

    generator = torch.Generator().manual_seed(0)
    found = Square(Threat(Norm.LINF, eps), queries=400)(logits, pictures, labels, generator)
    with torch.no_grad():
        wrong = logits(found).argmax(dim=1) != labels
    assert not wrong[distance > eps].any()
    assert wrong[distance < 0.7 * eps].all()
    assert ((found - pictures).abs() <= eps + 1e-6).all()


def test_the_square_attack_works_on_waveforms_and_clips() -> None:
    for shape in ((50,), (3, 2, 4, 4)):
        samples = 0.5 + torch.zeros(6, *shape)

        def logits(points: Tensor) -> Tensor:
            energy = (points - 0.5).flatten(1).square().mean(dim=1)
            return torch.stack([0.005 - energy, energy * 0], dim=1)

        found = Square(Threat(Norm.LINF, 0.1), queries=200)(
            logits, samples, torch.zeros(6, dtype=torch.int64)
        )
        assert (logits(found).argmax(dim=1) == 1).all()


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
