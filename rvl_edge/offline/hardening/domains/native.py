# SPDX-License-Identifier: Apache-2.0
"""Domains at the camera: its picture at its own resolution, before the robot resizes it.

A perturbation that is to survive the robot's low-pass filter and crop must be made here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.domains.encoder_side import Pixels
from rvl_edge.offline.hardening.domains.resampling import resample_centre
from rvl_edge.preprocess.spec import DepthSpec, FixedRange, PictureSpec, ThermalSpec


@dataclass(frozen=True)
class Camera:
    """Pictures (B, 3, H, W), frames (B, 3, T, H, W) or 8-bit thermal pictures (B, 1, H, W).

    [0, 1] is 0 to 255. Frames are those that the robot samples; it never looks at the others. Cameras send
    whole numbers: round what is found before believing it.
    """

    spec: PictureSpec
    name: str = "camera pixels"

    def model_input(self, samples: Tensor) -> Tensor:
        """See `Domain`."""
        resized = resample_centre(samples, self.spec)
        return Pixels(self.spec).model_input(resized.expand(-1, 3, *[-1] * (samples.ndim - 2)))

    def samples(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) uint8, scaled."""
        return pictures.float() / 255


@dataclass(frozen=True)
class ThermalCamera:
    """Thermal pictures (B, 1, H, W), all pixels valid; [0, 1] is `low` to `high`.

    The percentiles of a picture move with the perturbation, and gradients flow through them: through a
    percentile to the pixels whose values are its neighbouring ranks, which is its exact derivative wherever
    the order of pixels does not change.

    Attributes:
        spec: range, size, kernel and statistics.
        low, high: values that span the domain, in the picture's unit, which is that of a fixed range. Take
            what the scene spans: parts of a 16-bit full scale would be degrees.
    """

    spec: ThermalSpec
    low: float
    high: float
    name: str = "thermal counts"

    def __post_init__(self) -> None:
        _require_rising(self.low, self.high)

    def model_input(self, samples: Tensor) -> Tensor:
        """See `Domain`."""
        darkest, brightest = self._limits(samples)
        span = brightest - darkest
        grey = ((samples - darkest) / torch.where(span == 0, 1, span)).clamp(0, 1)
        grey = torch.where(span == 0, 0.5, grey)
        resized = resample_centre(grey, self.spec)
        return Pixels(self.spec).model_input(resized.expand(-1, 3, -1, -1))

    def samples(self, counts: Tensor) -> Tensor:
        """(B, 1, H, W) in the picture's unit, scaled; outliers are clipped."""
        return ((counts.double() - self.low) / (self.high - self.low)).clamp(0, 1).float()

    def _limits(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Values of the domain that become black and white, (B or 1, 1, 1, 1)."""
        chosen, shape = self.spec.range, (-1, 1, 1, 1)
        if isinstance(chosen, FixedRange):
            span = self.high - self.low
            black, white = ((each - self.low) / span for each in (chosen.low, chosen.high))
            return samples.new_tensor(black).view(shape), samples.new_tensor(white).view(shape)
        ordered = samples.flatten(1).sort(dim=1).values
        low, high = _percentile(ordered, chosen.low), _percentile(ordered, chosen.high)
        flat = low == high  # a small hot spot on a uniform ground lies outside the percentiles
        low, high = torch.where(flat, ordered[:, 0], low), torch.where(flat, ordered[:, -1], high)
        return low.view(shape), high.view(shape)


@dataclass(frozen=True)
class DepthCamera:
    """Depth pictures (B, 1, H, W); [0, 1] is 0 to `spec.max_depth` metres.

    Pixels without a measurement are 0, which the robot reads as `min_depth`; nothing within reach is 1.
    """

    spec: DepthSpec
    name: str = "depth"

    def model_input(self, samples: Tensor) -> Tensor:
        """See `Domain`."""
        near = samples.clamp_min(self.spec.min_depth / self.spec.max_depth)
        resized = resample_centre(near, self.spec)
        return Pixels(self.spec).model_input(resized.expand(-1, 3, -1, -1))

    def samples(self, metres: Tensor) -> Tensor:
        """(B, 1, H, W), scaled; NaN is no measurement, infinity nothing within reach."""
        return (metres.nan_to_num(nan=0.0) / self.spec.max_depth).clamp(0, 1).float()


def _require_rising(low: float, high: float) -> None:
    if not low < high:
        raise ConfigError("the span of a thermal domain is empty", got=(low, high), expected="low < high")


def _percentile(ordered: Tensor, percent: float) -> Tensor:
    """Linear interpolation between the nearest ranks of (B, N), (B,), as the robot's."""
    position = percent / 100 * (ordered.shape[1] - 1)
    below = int(position)
    above = min(below + 1, ordered.shape[1] - 1)
    return ordered[:, below] + (position - below) * (ordered[:, above] - ordered[:, below])
