# SPDX-License-Identifier: Apache-2.0
"""Auto-PGD: projected gradient descent that sets its own step size (Croce & Hein 2020, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.threat import Threat

Logits = Callable[[Tensor], Tensor]

_RHO = 0.75  # part of the steps since a checkpoint that must have raised the loss
_MOMENTUM = 0.75
_FIRST, _SHRINK, _SHORTEST = (
    0.22,
    0.03,
    0.06,
)  # checkpoints: first period, decrease, least; parts of all steps


@dataclass(frozen=True)
class Apgd:
    """APGD on a classifier's logits.

    Attributes:
        threat: the ball.
        loss: `ce`; `dlr`; or `dlr-targeted`, which tries the `targets` likeliest wrong classes in turn.
        steps: gradient steps a try.
        restarts: random starts of `ce` and `dlr`.
        targets: wrong classes to try; cut to the number that there is.
    """

    threat: Threat
    loss: Literal["ce", "dlr", "dlr-targeted"] = "ce"
    steps: int = 100
    restarts: int = 1
    targets: int = 9

    def __call__(
        self, logits: Logits, samples: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Perturb samples until they are misclassified.

        Args:
            logits: maps (n, ...) in [0, 1] to (n, K).
            samples: (B, ...) in [0, 1].
            labels: (B,) int64.
            generator: of the random starts, on the device of `samples`.

        Returns:
            (B, ...) within the threat. A sample that was broken is returned as broken; of the others each is
            where the loss was highest in the last try.
        """
        with torch.no_grad():
            clean = logits(samples)
        found, open_rows = samples.clone(), (clean.argmax(dim=1) == labels).nonzero()[:, 0]
        tries = min(self.targets, clean.shape[1] - 1) if self.loss == "dlr-targeted" else self.restarts
        for attempt in range(tries):
            if not len(open_rows):
                break
            own = labels[open_rows]
            wanted = losses.likeliest_wrong(clean[open_rows], own, attempt) if self._targeted else None
            ascent = _Ascent(self.threat, self.steps, logits, self._value(own, wanted), own)
            worst, broken = ascent(samples[open_rows], generator)
            found[open_rows] = worst
            open_rows = open_rows[~broken]
        return found

    @property
    def _targeted(self) -> bool:
        return self.loss == "dlr-targeted"

    def _value(self, labels: Tensor, targets: Tensor | None) -> Callable[[Tensor], Tensor]:
        if targets is not None:
            return lambda logits: losses.dlr_targeted(logits, labels, targets)
        form = losses.cross_entropy if self.loss == "ce" else losses.dlr
        return lambda logits: form(logits, labels)


class _Ascent:
    """One try on a batch; each sample has its own step size."""

    def __init__(
        self,
        threat: Threat,
        steps: int,
        logits: Logits,
        value: Callable[[Tensor], Tensor],
        labels: Tensor,
    ) -> None:
        self._threat, self._steps, self._logits = threat, steps, logits
        self._value, self._labels = value, labels

    def __call__(self, samples: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Returns the worst points, and which of them are misclassified."""
        shape = (-1, *[1] * (samples.ndim - 1))
        step = torch.full((len(samples),), 2 * self._threat.eps, device=samples.device)
        here = self._threat.start(samples, generator)
        value, gradient, wrong = self._evaluate(here)
        best, best_value, best_gradient = here, value, gradient
        broken, example = wrong, here
        last, rises = here, torch.zeros_like(step)
        reduced, value_before = torch.ones_like(wrong), value
        period, since = max(int(_FIRST * self._steps), 1), 0
        for number in range(self._steps):
            climbed = here + step.view(shape) * self._threat.direction(gradient)
            ahead = self._threat.project(climbed, samples)
            if number:
                mixed = here + _MOMENTUM * (ahead - here) + (1 - _MOMENTUM) * (here - last)
                ahead = self._threat.project(mixed, samples)
            last, here = here, ahead
            before = value
            value, gradient, wrong = self._evaluate(here)
            example = torch.where((wrong & ~broken).view(shape), here, example)
            broken = broken | wrong
            rises += value > before
            higher = value > best_value
            best = torch.where(higher.view(shape), here, best)
            best_gradient = torch.where(higher.view(shape), gradient, best_gradient)
            best_value = torch.where(higher, value, best_value)
            since += 1
            if since == period:
                stalls = rises < _RHO * period
                stuck = ~reduced & (value_before >= best_value)
                reduced, value_before = stalls | stuck, best_value
                step = torch.where(reduced, step / 2, step)
                here = torch.where(reduced.view(shape), best, here)
                gradient = torch.where(reduced.view(shape), best_gradient, gradient)
                value = torch.where(reduced, best_value, value)
                rises, since = torch.zeros_like(step), 0
                period = max(period - max(int(_SHRINK * self._steps), 1), int(_SHORTEST * self._steps), 1)
        return torch.where(broken.view(shape), example, best), broken

    def _evaluate(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        points = points.detach().requires_grad_(True)
        with torch.enable_grad():
            logits = self._logits(points)
            value = self._value(logits)
            (gradient,) = torch.autograd.grad(value.sum(), points)
        return value.detach(), gradient, logits.detach().argmax(dim=1) != self._labels
