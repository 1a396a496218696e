# SPDX-License-Identifier: Apache-2.0
"""Domains next to the encoder: its input, before normalisation, at its resolution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from rvl_edge.preprocess.spec import AudioSpec, DepthSpec, PictureSpec, PreprocessSpec, ThermalSpec, VideoSpec


@dataclass(frozen=True)
class Pixels:
    """Pictures (B, 3, S, S), or frames (B, 3, T, S, S), at the encoder's resolution, full scale 1."""

    spec: PictureSpec
    name: str = "pixels"

    def model_input(self, samples: Tensor) -> Tensor:
        """See `Domain`."""
        mean, std = self._statistics(samples)
        return (samples - mean) / std

    def samples(self, inputs: Tensor) -> Tensor:
        """Inverse of `model_input`."""
        mean, std = self._statistics(inputs)
        return (inputs * std + mean).clamp(0, 1)

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        shape = (3, *[1] * (like.ndim - 2))
        mean, std = (_on(each, like.dtype, like.device) for each in (self.spec.mean, self.spec.std))
        return mean.view(shape), std.view(shape)


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # or what inference makes first could not take part in an attack
def _on(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Constants that are copied to a GPU once: each copy makes the host wait, ten times an attack."""
    return torch.tensor(values, dtype=dtype, device=device)


@dataclass(frozen=True)
class Grey:
    """One-channel pictures (B, 1, S, S): thermal counts or depth after their range became [0, 1].

    The three channels that the encoder sees are one and the same, so a perturbation of them is too.
    """

    spec: PictureSpec
    name: str

    def model_input(self, samples: Tensor) -> Tensor:
        """See `Domain`."""
        return Pixels(self.spec).model_input(samples.expand(-1, 3, *[-1] * (samples.ndim - 2)))

    def samples(self, inputs: Tensor) -> Tensor:
        """Inverse of `model_input`."""
        return Pixels(self.spec).samples(inputs)[:, :1]


@dataclass(frozen=True)
class FilterBank:
    """Log-mel pictures (B, 1, bins, frames): [0, 1] spans `WIDTH` of the encoder's input around its mean.

    This is the picture that the encoder sees, not the sound: no recording may exist whose filter bank is the
    perturbed one. Attacks on the waveform are the honest ones for a loudspeaker.
    """

    spec: AudioSpec
    name: str = "filter bank"

    WIDTH = 4.0  # of the input after (x - mean) / std: nearly all of its values lie within

    def model_input(self, samples: Tensor) -> Tensor:
        """See `Domain`."""
        return ((samples - 0.5) * self.WIDTH).expand(-1, 3, -1, -1)

    def samples(self, inputs: Tensor) -> Tensor:
        """Inverse of `model_input`, (B, 3, bins, frames) with equal channels; outliers are clipped."""
        return (inputs[:, :1] / self.WIDTH + 0.5).clamp(0, 1)


def domain_of(spec: PreprocessSpec) -> Pixels | Grey | FilterBank:
    """The domain next to the encoder's input of a sense."""
    if isinstance(spec, AudioSpec):
        return FilterBank(spec)
    if isinstance(spec, ThermalSpec):
        return Grey(spec, "thermal counts")
    if isinstance(spec, DepthSpec):
        return Grey(spec, "depth")
    return Pixels(spec, "frames" if isinstance(spec, VideoSpec) else "pixels")
