# SPDX-License-Identifier: Apache-2.0
"""A square patch of each picture's own, its content and its place both optimised (Rao et al. 2020)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.hardening.attacks.goals import Goal
from rvl_edge.offline.hardening.threat import per_sample


@dataclass(frozen=True)
class LocatedPatch:
    """Sign ascent of the values inside a square that walks to where it does most harm.

    It begins where the goal's gradient is largest in sum, and after every `walk_every` steps tries to move
    by `stride` in a random one of the four directions, its content with it; it stays moved where the goal
    rose. Nothing bounds the values but [0, 1].

    Attributes:
        side: rows and columns of the square, in pixels of the domain.
        steps: gradient steps.
        step_size: in units of the domain's full scale.
        walk_every: steps between moves; 0 leaves the patch where it began.
        stride: pixels of a move.
    """

    side: int
    steps: int = 100
    step_size: float = 8 / 255
    walk_every: int = 5
    stride: int = 2

    def __call__(self, goal: Goal, samples: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Put a patch on samples.

        Args:
            goal: to maximise.
            samples: (B, C, H, W), or clips (B, C, T, H, W), whose frames all show the same patch, in [0, 1].
            generator: of the contents and moves, on the device of `samples`.

        Returns:
            Samples of the same shape, each with the patch for which its goal was highest.
        """
        rows = torch.arange(len(samples), device=samples.device)
        limit = torch.tensor(samples.shape[-2:], device=samples.device) - self.side
        place = self._most_sensitive(_gradient(goal, samples, rows)[1])
        shape = (*samples.shape[:2], *[1] * (samples.ndim - 4), self.side, self.side)
        content = torch.rand(shape, generator=generator, device=samples.device)
        best, highest = samples, torch.full((len(samples),), -torch.inf, device=samples.device)
        for number in range(self.steps + 1):
            patched = _pasted(samples, content, place)
            value, gradient = _gradient(goal, patched, rows)
            higher = value > highest
            best, highest = torch.where(per_sample(higher, samples), patched, best), value.maximum(highest)
            if number == self.steps:
                break
            content = (content + self.step_size * _cut(gradient, place, self.side).sign()).clamp(0, 1)
            if self.walk_every and (number + 1) % self.walk_every == 0:
                place = self._walked(partial(_value_at, goal, samples, content), place, limit, generator)
        return best

    def _most_sensitive(self, gradient: Tensor) -> Tensor:
        """(B, 2) first row and column of the square with the largest sum of absolute gradients."""
        mass = gradient.abs().flatten(1, -3).sum(dim=1)
        sums = functional.avg_pool2d(mass[:, None], self.side, stride=1)[:, 0]
        flat = sums.flatten(1).argmax(dim=1)
        return torch.stack([flat // sums.shape[2], flat % sums.shape[2]], dim=1)

    @torch.no_grad()
    def _walked(
        self,
        goal_at: Callable[[Tensor], Tensor],
        place: Tensor,
        limit: Tensor,
        generator: torch.Generator | None,
    ) -> Tensor:
        """A random step of each patch, kept where the goal rises."""
        ways = torch.tensor([[1, 0], [-1, 0], [0, 1], [0, -1]], device=place.device) * self.stride
        way = ways[torch.randint(4, (len(place),), generator=generator, device=place.device)]
        moved = (place + way).clamp_min(0).minimum(limit)
        return torch.where((goal_at(moved) > goal_at(place))[:, None], moved, place)


def _gradient(goal: Goal, points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    points = points.detach().requires_grad_(True)
    with torch.enable_grad():
        value = goal(points, rows)
        (gradient,) = torch.autograd.grad(value.sum(), points)
    return value.detach(), gradient


def _value_at(goal: Goal, samples: Tensor, content: Tensor, place: Tensor) -> Tensor:
    return goal(_pasted(samples, content, place), torch.arange(len(samples), device=samples.device))


def _pasted(samples: Tensor, content: Tensor, place: Tensor) -> Tensor:
    pasted = samples.clone()
    side = content.shape[-1]
    _squares_first(pasted)[_window(place, side)] = _squares_first(content.expand(*samples.shape[:-2], -1, -1))
    return pasted


def _cut(gradient: Tensor, place: Tensor, side: int) -> Tensor:
    """The window of a gradient; of clips the sum over frames, which share one content."""
    window = _squares_first(gradient)[_window(place, side)].movedim((1, 2), (-2, -1))
    return window.sum(dim=2, keepdim=True) if window.ndim == 5 else window


def _squares_first(samples: Tensor) -> Tensor:
    return samples.movedim((-2, -1), (1, 2))


def _window(place: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    reach = torch.arange(side, device=place.device)
    batch = torch.arange(len(place), device=place.device)[:, None, None]
    return batch, (place[:, :1] + reach)[:, :, None], (place[:, 1:] + reach)[:, None]
