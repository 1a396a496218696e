# SPDX-License-Identifier: Apache-2.0
"""The ascent of APGD, whose batch must climb as its samples would alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.ascent import ascend
from rvl_edge.offline.hardening.threat import Norm, Threat


def _checkpoints(steps: int) -> set[int]:
    """Croce & Hein 2020, section 3.2, in whole steps as their code has them."""
    period, at, found = max(int(0.22 * steps), 1), 0, set()
    while at < steps:
        at += period
        found.add(at)
        period = max(period - max(int(0.03 * steps), 1), int(0.06 * steps), 1)
    return found


def _one_by_one(
    value: Callable[[Tensor], Tensor], sample: Tensor, start: Tensor, eps: float, steps: int
) -> Tensor:
    """Algorithm 1 for one sample, as it is printed: no batch, no masks."""

    def climb(point: Tensor) -> tuple[float, Tensor]:
        point = point.detach().requires_grad_(True)
        found = value(point)
        return float(found.detach()), torch.autograd.grad(found, point)[0]

    def near(point: Tensor) -> Tensor:
        return (sample + (point - sample).clamp(-eps, eps)).clamp(0, 1)

    here = last = best = start
    level, gradient = climb(here)
    top, top_gradient = level, gradient
    step, rises, reduced, top_before, since = 2 * eps, 0, True, level, 0
    for number in range(steps):
        ahead = near(here + step * gradient.sign())
        if number:
            ahead = near(here + 0.75 * (ahead - here) + 0.25 * (here - last))
        last, here = here, ahead
        before, (level, gradient) = level, climb(here)
        rises, since = rises + (level > before), since + 1
        if level > top:
            best, top, top_gradient = here, level, gradient
        if number + 1 in _checkpoints(steps):
            stuck = not reduced and top_before >= top
            reduced, top_before = rises < 0.75 * since or stuck, top
            if reduced:
                step, here, level, gradient = step / 2, best, top, top_gradient
            rises = since = 0
    return best


@pytest.mark.parametrize("steps", [10, 40])
def test_the_batch_climbs_as_algorithm_1_does_one_by_one(steps: int) -> None:
    generator = torch.Generator().manual_seed(1)
    first, second = (
        torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((64, 30), (5, 64))
    )
    samples = torch.rand(12, 30, generator=generator, dtype=torch.float64)

    def logits(points: Tensor) -> Tensor:
        return torch.sin(2 * (points - 0.5) @ first.T) @ second.T

    labels = logits(samples).argmax(dim=1)

    def evaluate(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        return losses.cross_entropy(logits(points), labels[rows]), torch.zeros(len(rows), dtype=torch.bool)

    threat = Threat(Norm.LINF, 0.05)
    starts = threat.start(samples, torch.Generator().manual_seed(2))
    found, broken = ascend(evaluate, threat, steps, samples, torch.Generator().manual_seed(2))
    assert not broken.any()
    for row, (sample, start) in enumerate(zip(samples, starts, strict=True)):

        def value(point: Tensor, row: int = row) -> Tensor:
            return losses.cross_entropy(logits(point[None]), labels[row : row + 1])[0]

        wanted = _one_by_one(value, sample, start, 0.05, steps)
        torch.testing.assert_close(found[row], wanted, atol=1e-9, rtol=0)


def test_what_breaks_with_the_last_step_is_broken_and_given_back_as_it_broke() -> None:
    samples, steps = torch.full((3, 4), 0.5), 7
    asked: list[Tensor] = []

    def evaluate(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A hill whose last point looked at is the lowest, and breaks."""
        asked.append(points.detach().clone())
        last = len(asked) == steps + 1
        height = points.sum(dim=1)
        return -height if last else height, torch.full((len(rows),), last)

    found, broken = ascend(evaluate, Threat(Norm.LINF, 0.1), steps, samples)
    assert len(asked) == steps + 1
    assert broken.all()
    torch.testing.assert_close(found, asked[-1], atol=0, rtol=0)


@pytest.mark.parametrize(("norm", "order"), [(Norm.LINF, torch.inf), (Norm.L2, 2.0)])
def test_each_sample_keeps_its_own_radius_when_others_have_left_the_batch(norm: Norm, order: float) -> None:
    eps = torch.tensor([0.5, 0.01, 0.02, 0.03])
    samples = torch.full((4, 6), 0.5)

    def evaluate(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        return points.sum(dim=1), rows == 0  # the widest leaves at once

    found, broken = ascend(evaluate, Threat(norm, eps), 5, samples)
    assert broken.tolist() == [True, False, False, False]
    lengths = torch.linalg.vector_norm(found - samples, ord=order, dim=1)
    torch.testing.assert_close(lengths[1:], eps[1:])
