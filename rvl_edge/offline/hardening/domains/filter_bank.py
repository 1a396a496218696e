# SPDX-License-Identifier: Apache-2.0
"""The robot's log-mel filter bank in torch, with gradients."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from rvl_edge.preprocess.fbank import PREEMPHASIS, frame_samples, frame_window, mel_triangles
from rvl_edge.preprocess.spec import AudioSpec


def fbank(mono: Tensor, spec: AudioSpec) -> Tensor:
    """Log-mel filter bank; see `preprocess.fbank`.

    Where a bin's energy is at the floor, log(float32 epsilon), it has no gradient.

    Args:
        mono: (B, N) float32 with full scale 1, at least one frame.
        spec: rate, frames and number of bins.

    Returns:
        (B, frames, num_mel_bins), in float32 under autocast too.
    """
    length, shift = frame_samples(spec)
    size = 1 << (length - 1).bit_length()
    window, triangles = _tables(spec, mono.device)
    with torch.autocast(mono.device.type, enabled=False):
        frames = mono.float().unfold(1, length, shift)
        frames = frames - frames.mean(dim=2, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)
        spectrum = torch.fft.rfft((frames - float(PREEMPHASIS) * before) * window, n=size)
        power = torch.view_as_real(spectrum[..., :-1]).square().sum(dim=-1)
        return (power @ triangles).clamp_min(torch.finfo(torch.float32).eps).log()


@lru_cache(maxsize=8)
def _tables(spec: AudioSpec, device: torch.device) -> tuple[Tensor, Tensor]:
    length, _ = frame_samples(spec)
    triangles = mel_triangles(spec.sample_rate, length, spec.num_mel_bins)
    with torch.inference_mode(False):  # kept for callers that want gradients
        window = torch.from_numpy(frame_window(length).copy())
        return window.to(device), torch.from_numpy(triangles).float().to(device)
