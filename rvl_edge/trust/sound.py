# SPDX-License-Identifier: Apache-2.0
"""What microphones and their links do wrong: silence, clipping, gaps, direct current, hiss."""

from __future__ import annotations

from math import exp, log, log10, sqrt

import numpy as np

from rvl_edge.preprocess.spec import AudioSpec
from rvl_edge.trust.monitor import Curve, Observation, Simple
from rvl_edge.types import FloatArray

_QUIETEST = 1e-9  # floor of logarithms; full scale is 1
_LEAST = 1e-3  # floor of shares' logarithms
_GAP = 32  # samples of exactly one value in a row that no analogue signal gives
_TOP = 0.999  # of the peak: what counts as cut off there


def silence(seen: Observation) -> float:
    """Peak below full scale, in dB."""
    return -20 * log10(float(np.abs(seen.sound).max()) + _QUIETEST)


def level(seen: Observation) -> float:
    """Root mean square below full scale, in dB: a covered microphone, or a gain turned down."""
    return -20 * log10(_rms(seen.sound) + _QUIETEST)


def clipping(seen: Observation) -> float:
    """Log of the share of samples at the clip's own peak."""
    size = np.abs(seen.sound)
    return log(np.count_nonzero(size >= _TOP * size.max()) / size.size)


def drop_outs(seen: Observation) -> float:
    """Log of the share of samples that stand exactly still for a while between others that do not.

    Silence before the first and after the last sound, as of padded clips, is no drop-out.
    """
    sound = seen.sound
    moving = np.flatnonzero(np.diff(sound))
    gaps = np.diff(moving)
    return log(float(gaps[gaps > _GAP].sum()) / sound.size + _LEAST)


def direct_current(seen: Observation) -> float:
    """Log of the mean over the root mean square."""
    return log(abs(float(seen.sound.mean())) / (_rms(seen.sound) + _QUIETEST) + _LEAST)


def hiss(seen: Observation) -> float:
    """Log of the spectral flatness of what the encoder was fed, mean over frames: 0 for white noise.

    Geometric over arithmetic mean of the power, here of mel bins (Johnston, IEEE JSAC 1988).
    """
    assert isinstance(seen.spec, AudioSpec)
    mel = seen.inputs[0].astype(np.float64) * seen.spec.std + seen.spec.mean
    peak = mel.max(axis=0)
    return float(np.mean(mel.mean(axis=0) - peak - np.log(np.exp(mel - peak).mean(axis=0))))


SILENCE = Simple(
    "silence",
    silence,
    "no sound: the peak is {value} below full scale{usual}",
    "{:.0f} dB".format,
    rule=Curve(80, ((80, 1.0), (90, 0.0))),  # 16 bits end at 96 dB
)
LEVEL = Simple("level", level, "the sound's level is {value} below full scale{usual}", "{:.0f} dB".format)
CLIPPING = Simple(
    "clipping", clipping, "{value} of the samples are cut off{usual}", lambda value: f"{exp(value):.2%}"
)
DROP_OUTS = Simple(
    "drop-outs", drop_outs, "{value} of the sound is gaps{usual}", lambda value: f"{exp(value) - _LEAST:.1%}"
)
DIRECT_CURRENT = Simple(
    "direct-current",
    direct_current,
    "direct current is {value} of the sound{usual}",
    lambda value: f"{exp(value) - _LEAST:.1%}",
)
HISS = Simple(
    "hiss",
    hiss,
    "the spectrum's flatness is {value}{usual}, 1 being noise",
    lambda value: f"{exp(value):.2f}",
)


def _rms(sound: FloatArray) -> float:
    return sqrt(float(np.mean(np.square(sound))))
