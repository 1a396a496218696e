# SPDX-License-Identifier: Apache-2.0
"""Band-limited resampling of sounds, equal to torchaudio's default."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np

from rvl_edge._products import product
from rvl_edge.types import FloatArray

ZERO_CROSSINGS = 6  # of the sinc on either side, under a Hann window
ROLLOFF = 0.99  # cutoff as a part of the lower Nyquist frequency
MAX_PHASES_TIMES_PERIOD = 2**20
LEAST_PERIOD = 128  # measured: products of smaller matrices cost more than their zeros save


def resample_sound(mono: FloatArray, rate: float, wanted: int) -> FloatArray:
    """Convert samples from one rate to another.

    Each output is a sum of inputs weighted by a windowed sinc (J. O. Smith, "Digital Audio Resampling"). The
    weights repeat after one period of the two rates, so a clip is cut into periods and multiplied by one
    matrix. A ratio of rates without a short period, which no sound card has, is replaced by the nearest that
    has, less than one part in 1,000 off.

    Args:
        mono: (N,) float32.
        rate: of `mono`, in Hz.
        wanted: rate of the result, in Hz.

    Returns:
        (ceil(N * wanted / rate),) float32.
    """
    ratio = Fraction(rate / wanted).limit_denominator(
        max(1, math.isqrt(int(MAX_PHASES_TIMES_PERIOD * wanted / rate)))
    )
    period, phases = ratio.numerator, ratio.denominator
    if period == phases or not len(mono):
        return mono
    together = max(1, LEAST_PERIOD // period)
    period, phases = period * together, phases * together
    weights, reach = _weights(period, phases)
    periods = -(-len(mono) // period)
    padded = np.zeros(periods * period + 2 * reach, np.float32)
    padded[reach : reach + len(mono)] = mono
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(weights))[::period]
    resampled = product(np.ascontiguousarray(windows), weights).ravel()
    return resampled[: -(-len(mono) * phases // period)]


@lru_cache(maxsize=8)
def _weights(period: int, phases: int) -> tuple[FloatArray, int]:
    """Weights (reach + period + reach, phases) of the inputs around one period, and the reach."""
    cutoff = ROLLOFF * min(1.0, phases / period)  # of the input's Nyquist frequency
    reach = math.ceil(ZERO_CROSSINGS / cutoff)
    inputs = np.arange(-reach, period + reach)[:, None]
    places = np.arange(phases) * (period / phases)
    x = np.clip((inputs - places) * cutoff, -ZERO_CROSSINGS, ZERO_CROSSINGS)
    weights = cutoff * np.sinc(x) * np.cos(x * (np.pi / 2 / ZERO_CROSSINGS)) ** 2
    return weights.astype(np.float32), reach
