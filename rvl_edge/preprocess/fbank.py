# SPDX-License-Identifier: Apache-2.0
"""Kaldi's log-mel filter bank, on blocks of frames at once."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge._products import product
from rvl_edge.preprocess.spec import AudioSpec
from rvl_edge.types import FloatArray

PREEMPHASIS = np.float32(0.97)
LOWEST_HZ = 20.0
FRAMES_PER_BLOCK = 128  # measured: the scratch of a block should fit the processor's second cache


def fbank(mono: FloatArray, spec: AudioSpec) -> FloatArray:
    """Log-mel filter bank of samples with full scale 1, as kaldi's `compute-fbank-feats` defines it.

    The options are those LanguageBind was trained with: Hann window, pre-emphasis 0.97, mean of each frame
    removed, power spectrum of the next power of two, mel bins from 20 Hz to half the rate, no energy, no
    dither, whole frames only.

    Args:
        mono: (N,) float32 at `spec.sample_rate`, at least one frame.
        spec: rate, frames and number of bins.

    Returns:
        (frames, num_mel_bins) float32, natural logarithm, floored at log(float32 epsilon).
    """
    length, shift = frame_samples(spec)
    frames = np.lib.stride_tricks.sliding_window_view(mono, length)[::shift]
    window, weights = frame_window(length), _weights(spec.sample_rate, length, spec.num_mel_bins)
    padded = np.zeros((FRAMES_PER_BLOCK, len(weights)), np.float32)
    mel = np.empty((len(frames), spec.num_mel_bins), np.float32)
    for start in range(0, len(frames), FRAMES_PER_BLOCK):
        block = frames[start : start + FRAMES_PER_BLOCK]
        count = len(block)
        block = block - block.mean(axis=1, keepdims=True)
        emphasised = padded[:count, :length]
        np.multiply(block[:, 0], 1 - PREEMPHASIS, out=emphasised[:, 0])
        np.subtract(block[:, 1:], PREEMPHASIS * block[:, :-1], out=emphasised[:, 1:])
        emphasised *= window
        spectrum = cv2.dft(padded[:count], flags=cv2.DFT_ROWS)
        np.square(spectrum, out=spectrum)
        product(spectrum, weights, mel[start : start + count])
    np.maximum(mel, np.finfo(np.float32).eps, out=mel)
    return np.log(mel, out=mel)


def frame_samples(spec: AudioSpec) -> tuple[int, int]:
    """Length and shift of an analysis frame in samples, rounded down as kaldi does."""
    per_ms = spec.sample_rate * 0.001
    return int(per_ms * spec.frame_length_ms), int(per_ms * spec.frame_shift_ms)


@lru_cache(maxsize=8)
def frame_window(length: int) -> FloatArray:
    """Hann window of a frame of `length` samples; read only."""
    return np.hanning(length).astype(np.float32)


@lru_cache(maxsize=8)
def _weights(sample_rate: int, length: int, bins: int) -> FloatArray:
    """What each row of OpenCV's packed spectrum (re 0, re 1, im 1, ..., re N/2), squared, adds to each bin.

    The last, half the rate, adds to none.
    """
    triangles = mel_triangles(sample_rate, length, bins)
    packed = np.concatenate([triangles[:1], triangles[1:].repeat(2, axis=0), np.zeros((1, bins))])
    return packed.astype(np.float32)


def mel_triangles(sample_rate: int, length: int, bins: int) -> npt.NDArray[np.float64]:
    """What the power at each frequency of a frame adds to each bin, (N/2, bins), half the rate left out."""
    size = 1 << (length - 1).bit_length()
    edges = np.linspace(_mel(LOWEST_HZ), _mel(sample_rate / 2), bins + 2)
    heard = _mel(np.arange(size // 2) * sample_rate / size)[:, None]
    rising = (heard - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - heard) / (edges[2:] - edges[1:-1])
    return np.maximum(np.minimum(rising, falling), 0)


def _mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return 1127 * np.log1p(np.asarray(hertz, np.float64) / 700)
