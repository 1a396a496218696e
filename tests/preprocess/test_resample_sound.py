# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from rvl_edge.preprocess.resample_sound import resample_sound
from rvl_edge.types import FloatArray


def tone(hertz: float, rate: float, seconds: float = 1.0) -> FloatArray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 40, 441, 10_007])
@pytest.mark.parametrize(
    "rate", [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000]
)
def test_equals_torchaudio(torchaudio: Any, rate: int, count: int) -> None:
    import torch

    mono = np.random.default_rng(0).normal(0, 0.1, count).astype(np.float32)
    want = torchaudio.functional.resample(torch.from_numpy(mono)[None], rate, 16_000)[0].numpy()
    got = resample_sound(mono, rate, 16_000)
    assert got.shape == want.shape
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=0, atol=3e-5)  # torchaudio weighs in float32


@pytest.mark.parametrize("rate", [8000.5, 15_999, 16_001, 44_099, 44_100.3, 47_999, 192_001, 767_999])
def test_rates_without_a_short_period_keep_pitch_and_length(rate: float) -> None:
    got = resample_sound(tone(440, rate), rate, 16_000)
    assert len(got) == pytest.approx(16_000, rel=1e-3)
    spectrum = np.abs(np.fft.rfft(got * np.hanning(len(got)), 1 << 18))
    assert spectrum.argmax() * 16_000 / (1 << 18) == pytest.approx(440, rel=1e-3)
    assert np.abs(got[100:-100]).max() == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("rate", [24_000, 44_100, 48_000, 96_000])
def test_what_the_new_rate_cannot_hold_is_removed(rate: int) -> None:
    heard, lost = (resample_sound(tone(hertz, rate), rate, 16_000)[200:-200] for hertz in (5000, 10_000))
    assert np.sqrt(2 * np.mean(heard**2)) == pytest.approx(1, abs=0.01)
    assert np.sqrt(2 * np.mean(lost**2)) < 0.01


def test_nothing_stays_nothing() -> None:
    assert resample_sound(np.zeros(0, np.float32), 48_000, 16_000).size == 0


@pytest.mark.parametrize("rate", [1000.5, 15_999, 767_999.9])
def test_no_rate_takes_much_memory(rate: float) -> None:
    tracemalloc.start()
    resample_sound(np.zeros(16_000, np.float32), rate, 16_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6
