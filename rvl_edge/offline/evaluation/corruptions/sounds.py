# SPDX-License-Identifier: Apache-2.0
"""What rooms, microphones, links and wind do to sounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadDtype

Sound = npt.NDArray[Any]
OnSound = Callable[[Sound, int, np.random.Generator, int], Sound]

SNR_DB = (20.0, 15.0, 10.0, 5.0, 0.0)
WIND_SNR_DB = (10.0, 5.0, 0.0, -5.0, -10.0)
_REVERBERATION = ((0.2, 10.0), (0.4, 6.0), (0.7, 3.0), (1.0, 0.0), (1.5, -3.0))
_CLIPPING = (3.0, 2.0, 1.0, 0.5, 0.25)
BANDS_HZ = ((50.0, 7000.0), (150.0, 5000.0), (300.0, 3400.0), (350.0, 2400.0), (400.0, 1600.0))
_DROP_OUTS = (0.02, 0.05, 0.1, 0.2, 0.4)
_GAIN_DB = (-6.0, -12.0, -18.0, -24.0, -30.0)
_PACKET = 0.02  # seconds
_SILENCE = 1e-10  # power that counts as a signal's where there is none


def white_noise(sound: Sound, severity: int, random: np.random.Generator, sample_rate: int) -> Sound:
    """Noise of equal power at all frequencies, at `SNR_DB` over the whole clip."""
    del sample_rate
    return sound + _at_snr(sound, random.standard_normal(sound.shape), SNR_DB[severity - 1])


def pink_noise(sound: Sound, severity: int, random: np.random.Generator, sample_rate: int) -> Sound:
    """Noise of equal power in all octaves, as of fans and traffic, at `SNR_DB` over the whole clip."""
    noise = _filtered(
        random.standard_normal(sound.shape), sample_rate, lambda hertz: 1 / np.sqrt(np.maximum(hertz, 20.0))
    )
    return sound + _at_snr(sound, noise, SNR_DB[severity - 1])


def reverberation(sound: Sound, severity: int, random: np.random.Generator, sample_rate: int) -> Sound:
    """A room: the sound and its noise-like, exponentially decaying echo (Polack 1988).

    Strengths are the time in which the echo falls by 60 dB, in seconds, and how far the direct sound is above
    the echo, in dB. The clip keeps its length and power.
    """
    decay, direct = _REVERBERATION[severity - 1]
    time = np.arange(1, int(decay * sample_rate)) / sample_rate
    echo = random.standard_normal(time.shape) * 10 ** (-3 * time / decay)
    echo *= 10 ** (-direct / 20) / np.sqrt(np.sum(echo**2))
    response = np.concatenate([[1.0], echo])
    size = 1 << (len(sound) + len(response) - 2).bit_length()
    spectrum = np.fft.rfft(sound, size, axis=0).T * np.fft.rfft(response, size)
    wet = np.fft.irfft(spectrum.T, size, axis=0)[: len(sound)]
    return np.asarray(wet * np.sqrt(_power(sound) / max(_power(wet), _SILENCE)))


def clipping(sound: Sound, severity: int, random: np.random.Generator, sample_rate: int) -> Sound:
    """A microphone that is overdriven: cut at this many times the clip's root mean square."""
    del random, sample_rate
    limit = _CLIPPING[severity - 1] * np.sqrt(_power(sound))
    return np.clip(sound, -limit, limit)


def band_limit(sound: Sound, severity: int, random: np.random.Generator, sample_rate: int) -> Sound:
    """Small speakers and narrow links: between `BANDS_HZ`; severity 3 is the telephone's band.

    Slopes are those of fourth-order Butterworth filters, without their delay.
    """
    del random
    low, high = BANDS_HZ[severity - 1]
    return _filtered(
        sound,
        sample_rate,
        lambda hertz: 1 / np.sqrt((1 + (hertz / high) ** 8) * (1 + (low / np.maximum(hertz, 1e-3)) ** 8)),
    )


def drop_outs(sound: Sound, severity: int, random: np.random.Generator, sample_rate: int) -> Sound:
    """Lost packets: this part of all stretches of 20 ms is silent."""
    packet = max(1, round(_PACKET * sample_rate))
    lost = random.random(-(-len(sound) // packet)) < _DROP_OUTS[severity - 1]
    silent = np.repeat(lost, packet)[: len(sound)]
    return np.where(silent.reshape(-1, *[1] * (sound.ndim - 1)), 0, sound)


def gain(sound: Sound, severity: int, random: np.random.Generator, sample_rate: int) -> Sound:
    """A far source or a microphone turned down, in dB."""
    del random, sample_rate
    return np.asarray(sound * 10 ** (_GAIN_DB[severity - 1] / 20))


def wind(sound: Sound, severity: int, random: np.random.Generator, sample_rate: int) -> Sound:
    """Turbulence at the microphone: gusts of noise that falls by 12 dB an octave above 100 Hz."""
    rumble = _filtered(
        random.standard_normal(sound.shape), sample_rate, lambda hertz: 1 / (1 + (hertz / 100) ** 2)
    )
    seconds = np.arange(len(sound)) / sample_rate
    beats = random.uniform(0.2, 1.5, 3)[:, None] * seconds + random.random((3, 1))
    gusts = np.exp(np.sin(2 * np.pi * beats).sum(axis=0) / 2)
    noise = rumble * gusts.reshape(-1, *[1] * (sound.ndim - 1))
    return sound + _at_snr(sound, noise, WIND_SNR_DB[severity - 1])


def _at_snr(sound: Sound, noise: Sound, decibels: float) -> Sound:
    """Noise scaled so that the sound's power is this far above it; silence counts as 100 dB under full."""
    wanted = max(_power(sound), _SILENCE) / 10 ** (decibels / 10)
    return np.asarray(noise * np.sqrt(wanted / max(_power(noise), 1e-30)))


def _power(sound: Sound) -> float:
    return float(np.mean(np.square(sound)))


def _filtered(sound: Sound, sample_rate: int, response: Callable[[Sound], Sound]) -> Sound:
    """Scale each frequency, in Hz, by `response`."""
    hertz = np.fft.rfftfreq(len(sound), 1 / sample_rate)
    return np.fft.irfft((np.fft.rfft(sound, axis=0).T * response(hertz)).T, len(sound), axis=0)


def _on_float(effect: OnSound) -> OnSound:
    """An effect in float64 as one on the sound's own type."""

    def on_float(sound: Sound, severity: int, random: np.random.Generator, sample_rate: int) -> Sound:
        if sound.dtype not in (np.float32, np.float64) or sound.ndim not in (1, 2) or sound.size == 0:
            raise BadDtype(
                "only float sounds are corrupted",
                got=f"{sound.shape} {sound.dtype}",
                expected="(N,) or (N, channels) float32 or float64 of full scale 1",
            )
        return effect(sound.astype(np.float64), severity, random, sample_rate).astype(sound.dtype)

    return on_float


SOUNDS: dict[str, OnSound] = {
    effect.__name__: _on_float(effect)
    for effect in (
        white_noise,
        pink_noise,
        reverberation,
        clipping,
        band_limit,
        drop_outs,
        gain,
        wind,
    )
}
