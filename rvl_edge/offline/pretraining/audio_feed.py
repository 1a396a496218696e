# SPDX-License-Identifier: Apache-2.0
"""ESC-10 sounds for training: few clips, so every pass hears them at another speed, in another mixture."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rvl_edge.offline.datasets.samples import Samples
from rvl_edge.offline.pretraining.captions import Captions
from rvl_edge.offline.pretraining.feeds import Batch
from rvl_edge.offline.pretraining.sounds import SpedSounds
from rvl_edge.preprocess.spec import AudioSpec

_SPEEDS = tuple(np.geomspace(0.75, 1.33, 13))
_MASKED_FRAMES, _MASKED_BINS = 0.15, 0.15  # widest mask, as parts of the picture
_MIXED = 0.5  # part of a batch that is mixed in pairs


class AudioFeed:
    """Filter banks at several speeds, turned round in time, re-coloured, mixed in pairs and masked.

    Args:
        samples: (N, samples) float32 clips.
        spec: the card's preprocessing.
        captions: concepts.
    """

    def __init__(self, samples: Samples, spec: AudioSpec, captions: Captions) -> None:
        self.labels = samples.classes
        self._sounds = SpedSounds(samples, spec, _SPEEDS)
        self._shares = captions.shares(torch.from_numpy(samples.labels), samples.classes)
        self._spec = spec

    def __len__(self) -> int:
        return len(self._shares)

    def batch(self, index: Tensor) -> Batch:
        """See `Feed`."""
        banks, shares = self._sounds.draw(index), self._shares[index]
        other = torch.randperm(len(index))
        part = torch.where(
            torch.rand(len(index), 1) < _MIXED, torch.rand(len(index), 1), torch.ones(len(index), 1)
        )
        banks = _mix(banks, banks[other], part[:, :, None])
        shares = part * shares + (1 - part) * shares[other]
        banks = _mask(_colour((banks - self._spec.mean) / self._spec.std))
        return Batch(banks.transpose(1, 2)[:, None].expand(-1, 3, -1, -1), (shares,))


def _mix(first: Tensor, second: Tensor, part: Tensor) -> Tensor:
    """Between-class mixing of log powers, equally loud at equal parts (Tokozume et al. 2018, eq. 2)."""
    levels = [bank.exp().mean(dim=(1, 2), keepdim=True).clamp_min(1e-6).log() for bank in (first, second)]
    ratio = ((levels[0] - levels[1]) / 2).exp()  # of amplitudes
    gain = 1 / (1 + ratio * (1 - part) / part.clamp_min(1e-3))
    power = gain**2 * first.exp() + (1 - gain) ** 2 * second.exp()
    return (power / (gain**2 + (1 - gain) ** 2)).clamp_min(torch.finfo(torch.float32).eps).log()


def _colour(banks: Tensor) -> Tensor:
    """Another microphone and distance: gain, a smooth frequency response, and a noise floor."""
    count, _, bins = banks.shape
    axis = torch.linspace(0, 1, bins)
    waves = torch.stack([torch.cos(torch.pi * order * axis) for order in range(4)])
    response = torch.randn(count, 4) * torch.tensor([0.3, 0.2, 0.15, 0.1]) @ waves
    floor = -1.8 + 1.2 * torch.rand(count, 1, 1)
    return torch.maximum(banks + response[:, None], floor + 0.1 * torch.randn_like(banks))


def _mask(banks: Tensor) -> Tensor:
    """SpecAugment (Park et al. 2019): two bands of frames and two of bins become the mean."""
    count, frames, bins = banks.shape
    for _ in range(2):
        banks = banks.masked_fill(_band(count, frames, _MASKED_FRAMES)[:, :, None], 0)
        banks = banks.masked_fill(_band(count, bins, _MASKED_BINS)[:, None, :], 0)
    return banks


def _band(count: int, length: int, widest: float) -> Tensor:
    half = torch.rand(count, 1) * widest * length / 2
    centre = torch.rand(count, 1) * length
    return (torch.arange(length) - centre).abs() < half
