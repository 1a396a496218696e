# SPDX-License-Identifier: Apache-2.0
"""APGD against linear classifiers, whose exact robustness is known, and against PGD."""

from __future__ import annotations

import pytest
import torch
from linear_problem import distance_to_the_border, problem
from torch import Tensor

from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.apgd import Apgd, Loss
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.attacks.standard import StandardAttack
from rvl_edge.offline.hardening.threat import Norm, Threat

LOSSES: tuple[Loss, ...] = ("ce", "dlr", "dlr-targeted")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("norm", "dual", "eps"), [(Norm.LINF, 1.0, 0.05), (Norm.L2, 2.0, 0.15)])
def test_it_breaks_what_can_be_broken_and_nothing_else(
    loss: Loss, norm: Norm, dual: float, eps: float
) -> None:
    weights, samples, labels = problem()
    distance = distance_to_the_border(weights, samples, labels, dual)
    assert 5 < (distance < eps).sum() < 35  # the problem tells the attacks apart
    found = Apgd(Threat(norm, eps), loss, steps=60)(lambda points: points @ weights.T, samples, labels)
    wrong = (found @ weights.T).argmax(dim=1) != labels
    breakable = wrong[distance < 0.9 * eps]
    # Cross-entropy has local maxima, where all wrong classes gain but none wins; aiming at each has none.
    assert breakable.all() if loss == "dlr-targeted" else breakable.float().mean() > 0.9
    assert not wrong[distance > eps].any()


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_found_is_within_the_threat_and_the_sensors_range(loss: Loss) -> None:
    weights, samples, labels = problem()
    samples = samples.round(decimals=1) * 2 - 0.8  # many at 0
    labels = (samples @ weights.T).argmax(dim=1)
    found = Apgd(Threat(Norm.LINF, 0.1), loss, steps=10)(lambda points: points @ weights.T, samples, labels)
    assert ((found - samples).abs() <= 0.1 + 1e-6).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_it_is_no_weaker_than_pgd_on_a_rough_landscape() -> None:
    generator = torch.Generator().manual_seed(1)
    first, second = torch.randn(64, 30, generator=generator), torch.randn(5, 64, generator=generator)
    samples = torch.rand(200, 30, generator=generator)

    def logits(points: Tensor) -> Tensor:
        return torch.sin(2 * (points - 0.5) @ first.T) @ second.T

    labels = logits(samples).argmax(dim=1)
    threat = Threat(Norm.LINF, 0.02)
    pgd = Pgd(threat, steps=50, step_size=0.005)(
        lambda points, rows: losses.cross_entropy(logits(points), labels[rows]), samples, generator
    )
    apgd = Apgd(threat, "ce", steps=50)(logits, samples, labels, generator)
    robust = [(logits(found).argmax(dim=1) == labels).float().mean() for found in (pgd, apgd)]
    assert robust[1] <= robust[0] + 0.01


def test_samples_that_are_wrong_already_are_left_alone() -> None:
    weights, samples, labels = problem()
    labels[:7] = (labels[:7] + 1) % 5
    found = Apgd(Threat(Norm.LINF, 0.1), "ce", steps=5)(lambda points: points @ weights.T, samples, labels)
    torch.testing.assert_close(found[:7], samples[:7], atol=0, rtol=0)


def test_each_sample_is_attacked_within_its_own_radius_when_some_are_wrong_already() -> None:
    weights, samples, labels = problem()
    labels[:7] = (labels[:7] + 1) % 5
    eps = torch.where(torch.arange(len(samples)) % 2 == 0, 0.05, 0.001)
    found = Apgd(Threat(Norm.LINF, eps), "ce", steps=5)(lambda points: points @ weights.T, samples, labels)
    moved = (found - samples).abs().amax(dim=1)
    assert (moved <= eps + 1e-6).all()
    assert (moved[7:] > 0.5 * eps[7:]).all()


def test_a_broken_sample_is_not_asked_about_again() -> None:
    weights, samples, labels = problem()
    asked: list[int] = []

    def logits(points: Tensor) -> Tensor:
        asked.append(len(points))
        return points @ weights.T

    threat = Threat(Norm.LINF, 0.05)
    found = Apgd(threat, "ce", steps=30)(logits, samples, labels)
    robust = int(((found @ weights.T).argmax(dim=1) == labels).sum())
    assert asked == sorted(asked, reverse=True)
    assert asked[-1] == robust < len(samples)


def test_the_ratio_of_logit_differences_ignores_scale_and_shift() -> None:
    logits = torch.randn(20, 6, generator=torch.Generator().manual_seed(4))
    labels = torch.arange(20) % 6
    torch.testing.assert_close(losses.dlr(logits, labels), losses.dlr(3 * logits + 7, labels))
    targets = (labels + 1) % 6
    moved = losses.dlr_targeted(3 * logits + 7, labels, targets)
    torch.testing.assert_close(losses.dlr_targeted(logits, labels, targets), moved)


def test_the_standard_attack_tries_wrong_classes_beyond_the_likeliest() -> None:
    """The likeliest is out of reach, and the cross-entropy too saturated to tell of the second."""

    def logits(samples: Tensor) -> Tensor:
        moved = samples.mean(dim=1) - 0.5
        return 1e4 * torch.stack([0 * moved, 0.01 * moved - 0.1, 20 * moved - 0.9, moved - 3], dim=1)

    def broken(targets: int) -> Tensor:
        found = StandardAttack(Threat(Norm.LINF, 0.05), 10, targets)(logits, samples, labels)
        return logits(found).argmax(dim=1) != labels

    samples, labels = torch.full((5, 40), 0.5), torch.zeros(5, dtype=torch.int64)
    assert not broken(1).any()
    assert broken(2).all()
