# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rvl_edge.errors import BadDtype, BadEncoding, BadShape, InputError, NonFinite, TooShort
from rvl_edge.preprocess import AudioSpec, preprocess_audio
from rvl_edge.preprocess.audio import window_starts
from rvl_edge.preprocess.fbank import fbank

SPEC = AudioSpec(num_mel_bins=64, target_length=96, mean=-4.0, std=9.0)
RAW = SPEC.model_copy(update={"mean": 0.0, "std": 1.0})


def noise(count: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return (np.random.default_rng(seed).standard_normal(count) * 0.1).astype(np.float32)


def test_clip_of_exactly_the_length_is_the_filter_bank_three_times() -> None:
    x = noise(95 * 160 + 400)
    got = preprocess_audio(x, SPEC, sample_rate=16000)
    assert got.shape == (3, 64, 96)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    for channel in got:
        np.testing.assert_allclose(channel, (fbank(x, SPEC).T + 4) / 9, atol=1e-6)


def test_short_clip_is_tiled() -> None:
    x = noise(39 * 160 + 400)
    got = preprocess_audio(x, RAW, sample_rate=16000)
    mel = fbank(x, RAW).T
    np.testing.assert_array_equal(got[0], np.concatenate([mel, mel, mel], axis=1)[:, :96])
    np.testing.assert_array_equal(got[0], got[2])


def test_long_clip_gives_the_first_window_of_each_third() -> None:
    x = noise(400 * 160)
    mel = fbank(x, RAW).T
    got = preprocess_audio(x, RAW, sample_rate=16000)
    for channel, start in zip(got, window_starts(mel.shape[1], 96), strict=True):
        np.testing.assert_allclose(channel, mel[:, start : start + 96], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("frames", "starts"),
    [(10, (0, 0, 0)), (11, (0, 1, 0)), (12, (0, 1, 2)), (13, (0, 2, 3)), (109, (0, 34, 67))],
)
def test_window_starts_follow_languagebind(frames: int, starts: tuple[int, ...]) -> None:
    assert window_starts(frames, 10) == starts


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4", ">i4", "u1"])
def test_integer_pcm_equals_its_float(dtype: str) -> None:
    kind = np.dtype(dtype)
    full_scale = 2 ** (8 * kind.itemsize - 1)
    zero = 128 if kind.kind == "u" else 0
    integers = (np.rint(noise(8000) * full_scale) + zero).astype(kind)
    floats = (integers.astype(np.float64) - zero) / full_scale
    np.testing.assert_array_equal(
        preprocess_audio(integers, SPEC, sample_rate=16000), preprocess_audio(floats, SPEC, sample_rate=16000)
    )


def test_first_channel_is_used() -> None:
    stereo = np.stack([noise(8000), noise(8000, seed=1)], axis=1)
    np.testing.assert_array_equal(
        preprocess_audio(stereo, SPEC, sample_rate=16000),
        preprocess_audio(stereo[:, 0].copy(), SPEC, sample_rate=16000),
    )


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
def test_resampling_keeps_the_sound(rate: int) -> None:
    """The same chirp, below every Nyquist frequency and sampled at two rates, has the same loud bins."""

    def chirp(rate: int) -> npt.NDArray[np.float64]:
        t = np.arange(rate) / rate
        return 0.5 * np.sin(2 * np.pi * (200 * t + 1400 * t**2))

    want = preprocess_audio(chirp(16000), RAW, sample_rate=16000)[0]
    got = preprocess_audio(chirp(rate), RAW, sample_rate=rate)[0]
    loud = want > want.max() - 5
    loud[:, :3] = loud[:, -3:] = False  # resampling rings where the clip begins and ends
    assert loud.sum() > 200
    np.testing.assert_allclose(got[loud], want[loud], rtol=0, atol=0.05)


def test_constant_offset_does_not_matter() -> None:
    x = noise(16000).astype(np.float64)
    np.testing.assert_allclose(
        preprocess_audio(x + 0.25, SPEC, sample_rate=16000),
        preprocess_audio(x, SPEC, sample_rate=16000),
        atol=1e-3,
    )


@pytest.mark.parametrize("level", [0.0, 0.5, -1.0])
def test_silence_is_the_floor(level: float) -> None:
    got = preprocess_audio(np.full(16000, level, np.float32), RAW, sample_rate=16000)
    np.testing.assert_allclose(got, np.log(np.finfo(np.float32).eps), rtol=1e-6)


def test_one_frame_is_enough_and_one_sample_less_is_not() -> None:
    assert np.isfinite(preprocess_audio(noise(400), SPEC, sample_rate=16000)).all()
    with pytest.raises(TooShort, match=r"got 24\.9 ms, expected at least 25\.0 ms"):
        preprocess_audio(noise(399), SPEC, sample_rate=16000)


@pytest.mark.parametrize(
    ("pcm", "rate", "error"),
    [
        (np.zeros(16000, np.float16), 16000, BadDtype),
        (np.zeros(16000, np.int64), 16000, BadDtype),
        ([0.0] * 16000, 16000, BadDtype),
        (np.zeros((2, 16000), np.float32), 16000, BadShape),
        (np.zeros((16000, 0), np.float32), 16000, BadShape),
        (np.zeros((16000, 1, 1), np.float32), 16000, BadShape),
        (np.zeros((), np.float32), 16000, BadShape),
        (np.zeros(0, np.float32), 48000, TooShort),
        (np.array([0, np.nan] * 8000), 16000, NonFinite),
        (np.array([0, -np.inf] * 8000), 16000, NonFinite),
        (np.full(16000, 20000.0), 16000, BadEncoding),
        (np.zeros(16000, np.float32), 0, BadEncoding),
        (np.zeros(16000, np.float32), float("nan"), BadEncoding),
        (np.zeros(16000, np.float32), 10**9, BadEncoding),
        (np.zeros(16000, np.float32), "16000", BadEncoding),
        (np.zeros(16000, np.float32), None, BadEncoding),
    ],
)
def test_unreadable_sounds_are_refused(pcm: Any, rate: float, error: type[InputError]) -> None:
    with pytest.raises(error):
        preprocess_audio(pcm, SPEC, sample_rate=rate)


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_most_bins_a_spec_allows_all_hear_something(rate: int) -> None:
    numbers = {"sample_rate": rate, "target_length": 96, "mean": 0, "std": 1}
    for most in range(256, 8, -1):
        with suppress(ValueError):
            spec = AudioSpec(num_mel_bins=most, **numbers)
            break
    assert fbank(noise(rate), spec).max(axis=0).min() > -15  # the floor is at -15.9
    with pytest.raises(ValueError, match="mel bins are too many"):
        AudioSpec(num_mel_bins=most + 1, **numbers)
