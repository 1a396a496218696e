# SPDX-License-Identifier: Apache-2.0
"""The ascent of APGD: momentum, and a step size of each sample's own that is halved where it stalls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from rvl_edge.offline.hardening.threat import Threat, per_sample

Evaluate = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Points (n, ...) and their places in the batch (n,) to what is maximised (n,), and who is broken (n,)."""

_RHO = 0.75  # part of the steps since a checkpoint that must have raised the value
_MOMENTUM = 0.75
# Checkpoints: first period, what each is shorter by, and the shortest; parts of all steps.
_FIRST, _SHRINK, _SHORTEST = 0.22, 0.03, 0.06


def ascend(
    evaluate: Evaluate,
    threat: Threat,
    steps: int,
    samples: Tensor,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """One try of APGD from a random start. Samples leave the batch as soon as they are broken.

    Returns:
        (B, ...), each sample as it was when it broke or else where the value was highest; and (B,) bool, who
        was broken.
    """
    rows = torch.arange(len(samples), device=samples.device)
    worst, broken = samples.clone(), torch.zeros_like(rows, dtype=torch.bool)
    here = threat.start(samples, generator)
    value, gradient, wrong = _climb(evaluate, here, rows)
    state = _State(
        rows=rows,
        samples=samples,
        here=here,
        last=here,
        value=value,
        gradient=gradient,
        best=here,
        best_value=value,
        best_gradient=gradient,
        step=threat.radius(samples) * torch.full_like(per_sample(value, samples), 2),
        rises=torch.zeros_like(value),
        reduced=torch.ones_like(wrong),
        value_before=value,
    )
    period, since = max(int(_FIRST * steps), 1), 0
    for number in range(steps + 1):
        if wrong.any():
            worst[state.rows[wrong]], broken[state.rows[wrong]] = state.here[wrong], True
            state = state.without(wrong)
        if number == steps or not len(state.rows):
            break
        state.move(threat.rows(state.rows), momentum=_MOMENTUM if number else 1.0)
        wrong = state.look(evaluate)
        since += 1
        if since == period:
            state.check(period)
            period, since = max(period - max(int(_SHRINK * steps), 1), int(_SHORTEST * steps), 1), 0
    worst[state.rows] = state.best
    return worst, broken


def _climb(evaluate: Evaluate, points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    points = points.detach().requires_grad_(True)
    with torch.enable_grad():
        value, wrong = evaluate(points, rows)
        (gradient,) = torch.autograd.grad(value.sum(), points)
    return value.detach(), gradient, wrong


@dataclass(eq=False)
class _State:
    """Samples that are not broken, and where each of them is; first axis n."""

    rows: Tensor
    samples: Tensor
    here: Tensor
    last: Tensor
    value: Tensor
    gradient: Tensor
    best: Tensor
    best_value: Tensor
    best_gradient: Tensor
    step: Tensor
    rises: Tensor
    reduced: Tensor
    value_before: Tensor

    def without(self, gone: Tensor) -> _State:
        return _State(*(getattr(self, field.name)[~gone] for field in fields(self)))

    def move(self, threat: Threat, momentum: float) -> None:
        ahead = threat.project(self.here + self.step * threat.direction(self.gradient), self.samples)
        if momentum < 1:
            mixed = self.here + momentum * (ahead - self.here) + (1 - momentum) * (self.here - self.last)
            ahead = threat.project(mixed, self.samples)
        self.last, self.here = self.here, ahead

    def look(self, evaluate: Evaluate) -> Tensor:
        before = self.value
        self.value, self.gradient, wrong = _climb(evaluate, self.here, self.rows)
        self.rises = self.rises + (self.value > before)
        higher = self.value > self.best_value
        self.best_value = torch.where(higher, self.value, self.best_value)
        wide = per_sample(higher, self.here)
        self.best = torch.where(wide, self.here, self.best)
        self.best_gradient = torch.where(wide, self.gradient, self.best_gradient)
        return wrong

    def check(self, period: int) -> None:
        """Halve the steps of samples that oscillate or stopped rising, and send those back to their best."""
        stuck = ~self.reduced & (self.value_before >= self.best_value)
        self.reduced, self.value_before = (self.rises < _RHO * period) | stuck, self.best_value
        wide = per_sample(self.reduced, self.here)
        self.step = torch.where(wide, self.step / 2, self.step)
        self.here = torch.where(wide, self.best, self.here)
        self.gradient = torch.where(wide, self.best_gradient, self.gradient)
        self.value = torch.where(self.reduced, self.best_value, self.value)
        self.rises = torch.zeros_like(self.rises)
