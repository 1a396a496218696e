# SPDX-License-Identifier: Apache-2.0
"""Projected gradient descent (Madry et al. 2018), with FARE's momentum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rvl_edge.offline.hardening.attacks.goals import Goal
from rvl_edge.offline.hardening.threat import Threat, per_sample


@dataclass(frozen=True)
class Pgd:
    """Steps of fixed size along the direction of steepest ascent, projected back each time.

    Attributes:
        threat: the ball.
        steps: gradient steps a restart.
        step_size: in units of the domain's full scale.
        momentum: part of the last velocity kept; the velocity is made a unit direction again each step
            (RobustVLM's `pgd_train`), so in L-inf, where directions are signs, it changes nothing.
        random_start: begin at a random point of the ball instead of at the sample.
        restarts: independent tries, of which each sample keeps the one with the largest goal, of those that
            broke it if any did; the last iterate is a try's result.
    """

    threat: Threat
    steps: int
    step_size: float
    momentum: float = 0.0
    random_start: bool = True
    restarts: int = 1

    def __call__(
        self,
        goal: Goal,
        samples: Tensor,
        generator: torch.Generator | None = None,
        start: Tensor | None = None,
        broken: Goal | None = None,
    ) -> Tensor:
        """Perturb samples.

        Args:
            goal: to maximise.
            samples: (B, ...) in [0, 1].
            generator: of the random starts, on the device of `samples`.
            start: (B, ...), where the first try begins, instead of at random.
            broken: which samples the attack is over for, (n,) bool. The largest loss is no sign of it: a
                sample may be answered wrong at a smaller one.

        Returns:
            Perturbed samples within the threat, in [0, 1], without gradient.
        """
        rows = torch.arange(len(samples), device=samples.device)
        first = self.begin(samples, generator) if start is None else start
        best = self._attempt(goal, samples, rows, first)
        if self.restarts == 1:
            return best
        with torch.no_grad():
            value, won = goal(best, rows), _won(broken, best, rows)
            for _ in range(self.restarts - 1):
                with torch.enable_grad():
                    other = self._attempt(goal, samples, rows, self.begin(samples, generator))
                higher, wins = goal(other, rows), _won(broken, other, rows)
                better = torch.where(wins == won, higher > value, wins)
                best[better], value[better], won[better] = other[better], higher[better], wins[better]
        return best

    def begin(self, samples: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Where a try begins, (B, ...); drawn for all samples, some can be attacked from their own places."""
        return self.threat.start(samples, generator) if self.random_start else samples

    def _attempt(self, goal: Goal, samples: Tensor, rows: Tensor, start: Tensor) -> Tensor:
        perturbed = start.clone()
        velocity = torch.zeros_like(samples)
        for _ in range(self.steps):
            perturbed.requires_grad_(True)
            (gradient,) = torch.autograd.grad(goal(perturbed, rows).sum(), perturbed)
            velocity = self._faster(velocity, gradient)
            step = self.step_size * self.threat.direction(velocity)
            perturbed = self.threat.project(perturbed.detach() + step, samples)
        return perturbed

    def _faster(self, velocity: Tensor, gradient: Tensor) -> Tensor:
        return self.threat.direction(self.momentum * velocity + self.threat.direction(gradient))


def _won(broken: Goal | None, points: Tensor, rows: Tensor) -> Tensor:
    return torch.zeros_like(rows, dtype=torch.bool) if broken is None else broken(points, rows)


@dataclass(frozen=True)
class MiFgsm(Pgd):
    """Momentum iterative FGSM (Dong et al. 2018, algorithm 1; 1.0 is their momentum).

    The velocity is the sum of gradients of unit L1 norm. What it finds leans less on one encoder's gradients,
    so it carries over to other encoders better than PGD's.
    """

    def _faster(self, velocity: Tensor, gradient: Tensor) -> Tensor:
        size = per_sample(gradient.flatten(1).abs().sum(dim=1), gradient)
        return self.momentum * velocity + gradient / size.clamp_min(1e-30)
