# SPDX-License-Identifier: Apache-2.0
"""PGD against problems whose worst case is known in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rvl_edge.offline.hardening.attacks.pgd import MiFgsm, Pgd
from rvl_edge.offline.hardening.threat import Norm, Threat

EPS = 0.1


@pytest.fixture
def samples() -> Tensor:
    return 0.3 + 0.4 * torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def _slope() -> Tensor:
    return torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1))


def _linear(samples: Tensor, rows: Tensor) -> Tensor:
    return (samples * _slope()).flatten(1).sum(dim=1)


def test_a_linear_goal_is_driven_to_the_corner_of_the_box(samples: Tensor) -> None:
    found = Pgd(Threat(Norm.LINF, EPS), steps=20, step_size=EPS / 4)(_linear, samples)
    torch.testing.assert_close(found, samples + EPS * _slope().sign())


def test_a_linear_goal_is_driven_along_its_gradient_in_the_l2_ball(samples: Tensor) -> None:
    found = Pgd(Threat(Norm.L2, EPS), steps=60, step_size=EPS / 4)(_linear, samples)
    torch.testing.assert_close(found, samples + EPS * _slope() / _slope().norm(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_what_is_found_is_within_the_threat_and_the_sensors_range(norm: Norm, momentum: float) -> None:
    dark_and_bright = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(2)).round()
    found = Pgd(Threat(norm, EPS), steps=5, step_size=EPS, momentum=momentum)(_linear, dark_and_bright)
    assert found.min() >= 0
    assert found.max() <= 1
    delta = (found - dark_and_bright).flatten(1)
    length = delta.abs().amax(dim=1) if norm is Norm.LINF else delta.norm(dim=1)
    assert (length <= EPS * (1 + 1e-5)).all()
    assert (length > 0).all()


def test_mi_fgsm_sums_up_gradients_of_unit_length(samples: Tensor) -> None:
    """Against algorithm 1 in plain loops, on a valley whose slopes turn round and differ in steepness."""
    steep = torch.logspace(-1, 1, samples[0].numel()).view(samples.shape[1:])
    bottom = EPS * torch.rand(samples.shape[1:], generator=torch.Generator().manual_seed(4))

    def valley(points: Tensor, rows: Tensor) -> Tensor:
        return -(steep * (points - samples[rows] - bottom).abs() ** 3).flatten(1).sum(dim=1)

    step = EPS / 4
    found = MiFgsm(Threat(Norm.LINF, EPS), 7, step, momentum=1.0, random_start=False)(valley, samples)
    wanted = samples.clone()
    for row, start in enumerate(samples):
        point, velocity = start.clone(), torch.zeros_like(start)
        for _ in range(7):
            away = point - start - bottom
            gradient = -3 * steep * away * away.abs()
            velocity = velocity + gradient / gradient.abs().sum()
            point = torch.clamp(point + step * velocity.sign(), start - EPS, start + EPS)
        wanted[row] = point
    torch.testing.assert_close(found, wanted)
    pgd = Pgd(Threat(Norm.LINF, EPS), 7, step, random_start=False)(valley, samples)
    assert not torch.allclose(found, pgd)


def test_restarts_are_as_many_tries_of_which_each_sample_keeps_its_best() -> None:
    """The goal has many hills, so a try is stuck where it began."""
    samples = 0.3 + 0.4 * torch.rand(30, 8, generator=torch.Generator().manual_seed(0))
    rows = torch.arange(30)

    def hills(points: Tensor, rows: Tensor) -> Tensor:
        return torch.sin(60 * points).sum(dim=1)

    def attack(restarts: int) -> Pgd:
        return Pgd(Threat(Norm.LINF, EPS), steps=3, step_size=EPS / 10, restarts=restarts)

    one, same = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    tries = torch.stack([attack(1)(hills, samples, one) for _ in range(4)])
    best = torch.stack([hills(each, rows) for each in tries]).argmax(dim=0)
    assert len(best.unique()) == 4  # each try is the best of some sample
    torch.testing.assert_close(attack(4)(hills, samples, same), tries[best, rows], atol=0, rtol=0)


def test_of_several_tries_one_that_breaks_a_sample_comes_before_one_of_larger_goal(samples: Tensor) -> None:
    """Without steps a try is its random start; here it breaks a sample where the goal is negative."""
    attack = Pgd(Threat(Norm.LINF, EPS), steps=0, step_size=EPS, restarts=5)

    def change(points: Tensor, rows: Tensor) -> Tensor:
        return _linear(points - samples[rows], rows)

    generator = torch.Generator().manual_seed(5)
    tries = torch.stack([attack.begin(samples, generator) for _ in range(attack.restarts)])
    values = torch.stack([change(each, torch.arange(len(samples))) for each in tries])
    breaks = values < 0
    assert (
        breaks.any(dim=0) & (values.argmax(dim=0) != values.where(breaks, -torch.inf).argmax(dim=0))
    ).any()
    wanted = torch.where(breaks.any(dim=0), values.where(breaks, -torch.inf), values).argmax(dim=0)
    found = attack(
        change,
        samples,
        torch.Generator().manual_seed(5),
        broken=lambda points, rows: change(points, rows) < 0,
    )
    assert torch.equal(found, tries[wanted, torch.arange(len(samples))])


def test_one_seed_gives_one_perturbation(samples: Tensor) -> None:
    attack = Pgd(Threat(Norm.LINF, EPS), steps=3, step_size=EPS / 4)
    first, second = (attack(_linear, samples, torch.Generator().manual_seed(7)) for _ in range(2))
    torch.testing.assert_close(first, second, atol=0, rtol=0)
