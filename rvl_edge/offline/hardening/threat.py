# SPDX-License-Identifier: Apache-2.0
"""How far an attacker may go: a norm ball around a sample, cut to [0, 1], and where in the sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import torch
from torch import Tensor


class Norm(str, Enum):
    """Norm of a perturbation, over all of a sample's numbers."""

    LINF = "linf"
    L2 = "l2"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Threat:
    """Perturbations whose norm is at most `eps`, in units of the domain's full scale.

    Attributes:
        norm: of the perturbation.
        eps: the radius, one for all samples or (B,), one each.
        where: what may be changed, 1 there and 0 elsewhere, (1 or B, ...) and broadcast over a sample; None
            is everything. `masks` makes some, and their product allows what all of them do.

    Tensors are on the device of the samples.
    """

    norm: Norm
    eps: float | Tensor
    where: Tensor | None = None

    def rows(self, rows: Tensor) -> Threat:
        """The threat of some samples of the batch."""
        eps = self.eps[rows] if isinstance(self.eps, Tensor) else self.eps
        shared = self.where is None or len(self.where) == 1
        return replace(self, eps=eps, where=self.where if shared else self.where[rows])  # type: ignore[index]

    def radius(self, samples: Tensor) -> float | Tensor:
        """`eps`, shaped to be broadcast over samples (B, ...) if it is one each."""
        return per_sample(self.eps, samples) if isinstance(self.eps, Tensor) else self.eps

    def project(self, perturbed: Tensor, samples: Tensor) -> Tensor:
        """The nearest point (in each norm's usual sense) inside the ball around `samples` and [0, 1]."""
        delta, eps = self._allowed(perturbed - samples), self.radius(samples)
        if self.norm is Norm.LINF:
            delta = delta.clamp(-eps, eps)  # type: ignore[arg-type]
        else:
            delta = delta * (eps / _length(delta).clamp_min(1e-12)).clamp(max=1)
        return (samples + delta).clamp(0, 1)

    def start(self, samples: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A random point of the ball: uniform for L-inf; for L2 a uniform direction and radius."""
        return (samples + self.noise(samples, generator)).clamp(0, 1)

    def noise(self, samples: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A random perturbation of the shape and type of `samples`, whose numbers are not looked at."""
        draw = torch.rand if self.norm is Norm.LINF else torch.randn
        noise = draw(samples.shape, generator=generator, device=samples.device, dtype=samples.dtype)
        if self.norm is Norm.LINF:
            return self._allowed(2 * noise - 1) * self.radius(samples)
        part = torch.rand(len(samples), generator=generator, device=samples.device, dtype=samples.dtype)
        return self.direction(noise) * self.radius(samples) * per_sample(part, samples)

    def direction(self, gradient: Tensor) -> Tensor:
        """Steepest ascent of unit norm."""
        gradient = self._allowed(gradient)
        if self.norm is Norm.LINF:
            return gradient.sign()
        return gradient / _length(gradient).clamp_min(1e-12)

    def _allowed(self, delta: Tensor) -> Tensor:
        return delta if self.where is None else delta * self.where.to(delta)


def per_sample(values: Tensor, samples: Tensor) -> Tensor:
    """Values (B,) shaped to be broadcast over samples (B, ...)."""
    return values.view(-1, *[1] * (samples.ndim - 1))


def _length(delta: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(delta.flatten(1), dim=1)
    return per_sample(length, delta)
