# SPDX-License-Identifier: Apache-2.0
"""How far an attacker may go: a norm ball around a sample, cut to [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
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
    """Perturbations whose norm is at most `eps`, in units of the domain's full scale."""

    norm: Norm
    eps: float

    def project(self, perturbed: Tensor, samples: Tensor) -> Tensor:
        """The nearest point (in each norm's usual sense) inside the ball around `samples` and [0, 1]."""
        delta = perturbed - samples
        if self.norm is Norm.LINF:
            delta = delta.clamp(-self.eps, self.eps)
        else:
            length = _length(delta).clamp_min(1e-12)
            delta = delta * (self.eps / length).clamp(max=1)
        return (samples + delta).clamp(0, 1)

    def start(self, samples: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A random point of the ball: uniform for L-inf; for L2 a uniform direction and radius."""
        if self.norm is Norm.LINF:
            noise = torch.rand(samples.shape, generator=generator, device=samples.device, dtype=samples.dtype)
            return (samples + (2 * noise - 1) * self.eps).clamp(0, 1)
        noise = torch.randn(samples.shape, generator=generator, device=samples.device, dtype=samples.dtype)
        radius = torch.rand(
            (len(samples), *[1] * (samples.ndim - 1)), generator=generator, device=samples.device
        )
        return (samples + noise / _length(noise).clamp_min(1e-12) * self.eps * radius).clamp(0, 1)

    def direction(self, gradient: Tensor) -> Tensor:
        """Steepest ascent of unit norm."""
        if self.norm is Norm.LINF:
            return gradient.sign()
        return gradient / _length(gradient).clamp_min(1e-12)


def _length(delta: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(delta.flatten(1), dim=1)
    return length.view(-1, *[1] * (delta.ndim - 1))
