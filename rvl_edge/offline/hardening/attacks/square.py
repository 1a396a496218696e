# SPDX-License-Identifier: Apache-2.0
"""Square attack: random search by squares, asking the classifier only for its answers' margins.

Andriushchenko et al. 2020, algorithms 1 and 2, L-inf. It sees no gradient, so if it beats attacks that do,
their gradients are masked.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.goals import Logits
from rvl_edge.offline.hardening.threat import Norm, Threat, per_sample

# Parts of `queries`, from which on the share of a sample that one change covers is halved once more.
_HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Square:
    """Random search over changes of plus or minus eps, constant over a window of the sample.

    A window spans all axes after the channels: rows and columns of a picture, frames too of a clip, time of
    a waveform (B, N), which has no channels. In waveforms it is filled with noise, as a filter bank does not
    hear a constant.

    Attributes:
        threat: an L-inf ball.
        queries: forward passes of each sample.
        share: part of the sample that the first windows cover.
    """

    threat: Threat
    queries: int = 5000
    share: float = 0.8

    def __post_init__(self) -> None:
        if self.threat.norm is not Norm.LINF:
            raise ConfigError("this square attack knows one norm", got=self.threat.norm, expected=Norm.LINF)

    @torch.no_grad()
    def __call__(
        self, logits: Logits, samples: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Perturb samples until they are misclassified; see `Apgd`."""
        margin = losses.margin(logits(samples), labels)
        found, rows = samples.clone(), (margin <= 0).nonzero()[:, 0]
        if not len(rows):
            return found
        stripes = self._signs((len(rows), *_stripe(samples)), samples, generator)
        points = self._moved(samples, rows, stripes.expand_as(samples[rows]))
        value = losses.margin(logits(points), labels[rows])
        for query in range(1, self.queries):
            left = value <= 0
            found[rows] = points
            rows, points, value = rows[left], points[left], value[left]
            if not len(rows):
                break
            tried = self._moved(samples, rows, self._change(samples[rows], query, generator), points)
            raised = losses.margin(logits(tried), labels[rows])
            higher = raised > value
            points = torch.where(per_sample(higher, points), tried, points)
            value = torch.where(higher, raised, value)
        found[rows] = points
        return found

    def _moved(self, samples: Tensor, rows: Tensor, signs: Tensor, points: Tensor | None = None) -> Tensor:
        """Samples at plus or minus eps where there is a sign, and at `points` where it is 0."""
        threat, own = self.threat.rows(rows), samples[rows]
        elsewhere = own if points is None else points
        return threat.project(torch.where(signs != 0, own + signs * threat.radius(own), elsewhere), own)

    def _change(self, samples: Tensor, query: int, generator: torch.Generator | None) -> Tensor:
        """Signs of a window of each sample, 0 outside of it."""
        halvings = sum(query > part * self.queries for part in _HALVINGS)
        axes = range(_first_axis(samples), samples.ndim)
        side = (self.share / 2**halvings) ** (1 / len(axes))
        constant = (*samples.shape[:2], *[1] * len(axes))
        change = self._signs(constant if axes.start == 2 else samples.shape, samples, generator)
        for axis in axes:
            length = samples.shape[axis]
            span = min(max(round(side * length), 1), length)
            first = torch.randint(
                length - span + 1, (len(samples), 1), generator=generator, device=samples.device
            )
            place = torch.arange(length, device=samples.device)
            shape = [len(samples), *[1] * (samples.ndim - 1)]
            shape[axis] = length
            change = change * ((place >= first) & (place < first + span)).view(shape)
        return change

    def _signs(self, shape: tuple[int, ...], samples: Tensor, generator: torch.Generator | None) -> Tensor:
        draw = torch.randint(2, shape, generator=generator, device=samples.device)
        return (2 * draw - 1).to(samples.dtype)


def _first_axis(samples: Tensor) -> int:
    return 1 if samples.ndim == 2 else 2


def _stripe(samples: Tensor) -> tuple[int, ...]:
    """The start's shape without the batch: constant along the second but last axis, vertical stripes."""
    shape = list(samples.shape[1:])
    if len(shape) > 1:
        shape[-2] = 1
    return tuple(shape)
