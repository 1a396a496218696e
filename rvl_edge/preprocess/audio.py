# SPDX-License-Identifier: Apache-2.0
"""PCM -> log-mel filter bank picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadDtype, BadEncoding, BadShape, NonFinite, TooShort
from rvl_edge.preprocess.fbank import fbank, frame_samples
from rvl_edge.preprocess.resample_sound import resample_sound
from rvl_edge.preprocess.spec import AudioSpec
from rvl_edge.types import FloatArray

RATES_HZ = (1_000, 768_000)
MAX_CHANNELS = 64
# 24 dB over full scale: hot float recordings pass, integers cast to float do not.
MAX_PEAK = 16.0

_ZERO_AND_FULL_SCALE = {"uint8": (128, 2**7), "int16": (0, 2**15), "int32": (0, 2**31)}


def preprocess_audio(pcm: npt.NDArray[Any], spec: AudioSpec, *, sample_rate: float) -> FloatArray:
    """Resample, compute the filter bank and normalise one clip.

    The first channel is used, as in LanguageBind; microphone arrays put their processed signal there. Pass a
    mix to use another. Silence is a valid sound. The clip's mean is not subtracted, as the reference does,
    since the filter bank removes the mean of each frame.

    Args:
        pcm: (N,) or (N, channels), float32 or float64 with full scale 1, or int16, int32 or uint8 PCM.
        spec: rate, filter bank, length and statistics.
        sample_rate: of `pcm`, in Hz.

    Returns:
        (3, num_mel_bins, target_length) float32, C-contiguous.

    Raises:
        BadShape: another number of axes, or channels before samples.
        BadDtype: a type that is no PCM.
        BadEncoding: a rate that is no number in range, or float samples far beyond full scale.
        NonFinite: NaN or infinity in float samples.
        TooShort: less than one analysis frame.
    """
    if not (
        isinstance(sample_rate, (int, float, np.integer, np.floating))
        and RATES_HZ[0] <= sample_rate <= RATES_HZ[1]
    ):
        raise BadEncoding("sample rate out of range", got=f"{sample_rate!r} Hz", expected=f"{RATES_HZ} Hz")
    mono = resample_sound(first_channel(pcm), sample_rate, spec.sample_rate)
    length, shift = frame_samples(spec)
    frames = 1 + (len(mono) - length) // shift
    if frames < 1:
        raise TooShort(
            "a clip shorter than one analysis frame cannot be read",
            got=f"{len(mono) / spec.sample_rate * 1000:.1f} ms",
            expected=f"at least {spec.frame_length_ms} ms",
            fix="pass samples first, (N,) or (N, channels), and at least one frame of them",
        )
    if frames > spec.target_length:
        span = (spec.target_length - 1) * shift + length
        windows = [
            fbank(mono[start * shift : start * shift + span], spec)
            for start in window_starts(frames, spec.target_length)
        ]
        mel = np.stack(windows)
    else:
        tiles = -(-spec.target_length // frames)
        mel = np.tile(fbank(mono, spec), (tiles, 1))[None, : spec.target_length]
    picture = np.empty((3, spec.num_mel_bins, spec.target_length), np.float32)
    picture[:] = mel.transpose(0, 2, 1)
    picture -= np.float32(spec.mean)
    picture /= np.float32(spec.std)
    return picture


def window_starts(frames: int, length: int) -> tuple[int, ...]:
    """First index of each third of the starts a window of `length` can have in `frames` >= `length` frames.

    An empty third starts at 0, as in LanguageBind.
    """
    thirds = np.array_split(np.arange(frames - length + 1), 3)
    return tuple(int(third[0]) if third.size else 0 for third in thirds)


def first_channel(pcm: npt.NDArray[Any]) -> FloatArray:
    """The channel that is used, (N,) float32 with full scale 1; raises what `preprocess_audio` does."""
    kind = pcm.dtype.name if isinstance(pcm, np.ndarray) else type(pcm).__name__
    if kind not in ("float32", "float64", *_ZERO_AND_FULL_SCALE):
        raise BadDtype(
            "a sound of this type cannot be read",
            got=kind,
            expected="an array of float32, float64, int16, int32 or uint8",
        )
    if pcm.ndim not in (1, 2) or (pcm.ndim == 2 and not 1 <= pcm.shape[1] <= MAX_CHANNELS):
        raise BadShape(
            "a sound of this shape cannot be read",
            got=pcm.shape,
            expected=f"(N,) or (N, channels) with 1 to {MAX_CHANNELS} channels",
            fix="put samples first: pass pcm.T",
        )
    first = pcm if pcm.ndim == 1 else pcm[:, 0]
    if kind in _ZERO_AND_FULL_SCALE:
        zero, full_scale = _ZERO_AND_FULL_SCALE[kind]
        return ((first.astype(np.float64) - zero) / full_scale).astype(np.float32)
    peak = np.abs(first).max(initial=0)
    if not np.isfinite(peak):
        raise NonFinite("a sample is not a number", got=peak, expected="finite samples in [-1, 1]")
    if peak > MAX_PEAK:
        raise BadEncoding(
            "float samples far beyond full scale",
            got=f"a peak of {peak:g}",
            expected="[-1, 1]",
            fix="divide integer samples by their full scale, or pass them as integers",
        )
    return first.astype(np.float32)
