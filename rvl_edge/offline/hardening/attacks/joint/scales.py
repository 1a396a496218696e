# SPDX-License-Identifier: Apache-2.0
"""Copies of a picture that were smaller or larger once: SGA's augmentation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.errors import ConfigError


@dataclass(frozen=True)
class Scales:
    """Noise, a resize by each factor, a cut to [0, 1], and a resize back, bicubic and without antialiasing.

    Attributes:
        factors: of height and width; without any there are no copies.
        noise: standard deviation, in parts of the full scale, drawn anew for each copy.
    """

    factors: tuple[float, ...] = (0.5, 0.75, 1.25, 1.5)
    noise: float = 0.05

    def __call__(self, samples: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The samples and their copies, (B, ..., H, W) -> (B (1 + factors), ..., H, W), with gradients.

        Raises:
            ConfigError: the samples are no pictures.
        """
        if not self.factors:
            return samples
        if samples.ndim < 4:
            raise ConfigError(
                "only pictures have scales", got=tuple(samples.shape), fix="give Scales no factors"
            )
        return torch.cat([samples, *(self._copy(samples, factor, generator) for factor in self.factors)])

    def _copy(self, samples: Tensor, factor: float, generator: torch.Generator | None) -> Tensor:
        height, width = samples.shape[-2:]
        noise = torch.randn(samples.shape, generator=generator, device=samples.device, dtype=samples.dtype)
        noisy = (samples + self.noise * noise).flatten(1, -3)  # the frames of a clip are as good as channels
        resized = _resize(noisy, int(factor * height), int(factor * width)).clamp(0, 1)
        return _resize(resized, height, width).view_as(samples)


def _resize(pictures: Tensor, height: int, width: int) -> Tensor:
    return functional.interpolate(pictures, (height, width), mode="bicubic", align_corners=False)
