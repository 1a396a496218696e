# SPDX-License-Identifier: Apache-2.0
"""Filter banks of clips at several speeds, of which every pass hears another one."""

from __future__ import annotations

from collections.abc import Sequence

import soxr
import torch
from torch import Tensor

from rvl_edge.offline.datasets.samples import Samples
from rvl_edge.preprocess.fbank import fbank
from rvl_edge.preprocess.spec import AudioSpec


class SpedSounds:
    """Clips at several speeds.

    Args:
        samples: (N, samples) float32 clips.
        spec: the card's preprocessing.
        speeds: factors of pitch and tempo.
    """

    def __init__(self, samples: Samples, spec: AudioSpec, speeds: Sequence[float]) -> None:
        banks = [
            torch.from_numpy(fbank(soxr.resample(clip, spec.sample_rate * speed, spec.sample_rate), spec))
            for clip in samples.data
            for speed in speeds
        ]
        self._lengths = torch.tensor([len(bank) for bank in banks])
        self._banks = torch.nn.utils.rnn.pad_sequence(banks, batch_first=True)
        self._spec, self._speeds = spec, len(speeds)

    def draw(self, index: Tensor) -> Tensor:
        """Log powers (B, frames, bins): each clip at one of the speeds, from anywhere in it and round."""
        row = index * self._speeds + torch.randint(0, self._speeds, (len(index),))
        length = self._lengths[row, None]
        start = (torch.rand(len(index), 1) * length).long()
        frames = (start + torch.arange(self._spec.target_length)) % length
        return self._banks[row[:, None], frames]

    def pictures(self, banks: Tensor) -> Tensor:
        """What the encoder takes, (B, 3, bins, frames), of `draw`'s log powers."""
        normal = (banks - self._spec.mean) / self._spec.std
        return normal.transpose(1, 2)[:, None].expand(-1, 3, -1, -1)
