# SPDX-License-Identifier: Apache-2.0
"""The domain of a microphone: the waveform, before the filter bank."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.domains.filter_bank import fbank
from rvl_edge.preprocess.audio import window_starts
from rvl_edge.preprocess.fbank import frame_samples
from rvl_edge.preprocess.spec import AudioSpec


@dataclass(frozen=True)
class Waveform:
    """Sounds (B, N) at `spec.sample_rate`; [0, 1] is -1 to 1, the full scale of PCM.

    A recording of the perturbed sound exists, and a loudspeaker could play it: what the room and both devices
    would make of it is not modelled.
    """

    spec: AudioSpec
    name: str = "waveform"

    def model_input(self, samples: Tensor) -> Tensor:
        """See `Domain`; (B, 3, bins, target_length), windows and tiles as on the robot."""
        wanted = self.spec.target_length
        if samples.shape[1] < frame_samples(self.spec)[0]:
            raise ConfigError("a sound shorter than one analysis frame", got=f"{samples.shape[1]} samples")
        mel = fbank(2 * samples.float() - 1, self.spec)
        frames = mel.shape[1]
        if frames > wanted:
            windows = [mel[:, start : start + wanted] for start in window_starts(frames, wanted)]
            picture = torch.stack(windows, dim=1)
        else:
            tiles = -(-wanted // frames)
            picture = mel.repeat(1, tiles, 1)[:, None, :wanted].expand(-1, 3, -1, -1)
        return (picture.transpose(2, 3) - self.spec.mean) / self.spec.std

    def samples(self, mono: Tensor) -> Tensor:
        """(B, N) with full scale 1; what is beyond it is clipped, as converters do."""
        return ((mono + 1) / 2).clamp(0, 1)

    def radius(self, samples: Tensor, snr_db: float) -> Tensor:
        """L2 radius (B,) of each sound's own, at which a perturbation of it has this signal-to-noise ratio.

        For `Threat(Norm.L2, ...)`. A silent sound has none to spend.
        """
        length: Tensor = torch.linalg.vector_norm(samples - 0.5, dim=1)
        return length * 10 ** (-snr_db / 20)
