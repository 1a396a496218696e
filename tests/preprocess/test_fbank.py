# SPDX-License-Identifier: Apache-2.0
"""The filter bank against kaldi's definition, and against two implementations of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from rvl_edge.preprocess import AudioSpec
from rvl_edge.preprocess.fbank import FRAMES_PER_BLOCK, fbank

Sound = npt.NDArray[np.float32]


def spec(rate: int = 16000, bins: int = 112, **changes: float) -> AudioSpec:
    return AudioSpec(sample_rate=rate, num_mel_bins=bins, target_length=1036, mean=0, std=1, **changes)


def noise(count: int, level: float = 0.1, offset: float = 0.0) -> Sound:
    return (np.random.default_rng(0).normal(offset, level, count)).astype(np.float32)


def tone(rate: int) -> Sound:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)


def definition(mono: Sound, spec: AudioSpec) -> npt.NDArray[np.float64]:
    """Kaldi's in float64: frame, remove mean, pre-emphasise, Hann, power spectrum, mel, log."""
    length = int(spec.sample_rate * spec.frame_length_ms / 1000)
    shift = int(spec.sample_rate * spec.frame_shift_ms / 1000)
    size = 2 ** int(np.ceil(np.log2(length)))
    starts = range(0, len(mono) - length + 1, shift)
    frames = np.stack([mono[start : start + length] for start in starts]).astype(np.float64)
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1))
    power = np.abs(np.fft.rfft(frames * hann, size)) ** 2

    def mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return 1127 * np.log(1 + np.asarray(hertz) / 700)

    centres = np.linspace(mel(20), mel(spec.sample_rate / 2), spec.num_mel_bins + 2)
    energies = np.zeros((len(frames), spec.num_mel_bins))
    for k in range(size // 2):
        at = mel(k * spec.sample_rate / size)
        for b, (left, centre, right) in enumerate(zip(centres, centres[1:], centres[2:], strict=False)):
            if left < at < right:
                slope = (at - left) / (centre - left) if at <= centre else (right - at) / (right - centre)
                energies[:, b] += slope * power[:, k]
    return np.log(np.maximum(energies, np.finfo(np.float32).eps))


@pytest.mark.parametrize(
    ("mono", "numbers"),
    [
        (noise(40_000), spec()),
        (noise(40_000, offset=0.4), spec()),
        (noise(40_000, level=1e-4), spec()),
        (tone(16000), spec()),
        (np.zeros(16000, np.float32), spec()),
        (tone(8000) + noise(8000), spec(8000, 40)),
        (tone(48000) + noise(48000), spec(48000, 128)),
        (noise(16000), spec(bins=23, frame_length_ms=32, frame_shift_ms=12.5)),
        (noise(11025), spec(11025, 64)),
    ],
)
def test_equals_the_definition(mono: Sound, numbers: AudioSpec) -> None:
    got, want = fbank(mono, numbers), definition(mono, numbers)
    assert got.shape == want.shape
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-3)
    assert np.abs(got - want).mean() < 3e-5


@pytest.mark.parametrize(
    "frames", [1, 2, FRAMES_PER_BLOCK - 1, FRAMES_PER_BLOCK, FRAMES_PER_BLOCK + 1, 3 * FRAMES_PER_BLOCK + 7]
)
def test_a_frame_does_not_depend_on_its_block(frames: int) -> None:
    mono = noise((frames - 1) * 160 + 400)
    got = fbank(mono, spec())
    alone = np.concatenate([fbank(mono[i * 160 : i * 160 + 400], spec()) for i in range(frames)])
    np.testing.assert_allclose(got, alone, rtol=0, atol=1e-4)


def by_kaldi(mono: Sound, spec: AudioSpec) -> Sound:
    kaldi = pytest.importorskip("kaldi_native_fbank", reason="an oracle")
    options = kaldi.FbankOptions()
    options.frame_opts.samp_freq = spec.sample_rate
    options.frame_opts.window_type = "hanning"
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = spec.num_mel_bins
    options.htk_compat = True
    options.use_energy = False
    bank = kaldi.OnlineFbank(options)
    bank.accept_waveform(spec.sample_rate, mono.tolist())
    bank.input_finished()
    return np.stack([bank.get_frame(i) for i in range(bank.num_frames_ready)])


@pytest.mark.parametrize(("rate", "bins"), [(16000, 112), (16000, 64), (8000, 40), (48000, 128)])
def test_equals_kaldi(rate: int, bins: int) -> None:
    """Two roundings to float32 meet here: kaldi's own is up to 1e-3 from the definition."""
    mono, numbers = noise(2 * rate) + np.tile(tone(rate), 2), spec(rate, bins)
    got, want = fbank(mono, numbers), by_kaldi(mono, numbers)
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-3)
    assert np.abs(got - want).mean() < 2e-5


def test_is_closer_to_the_definition_than_kaldi() -> None:
    mono = noise(40_000, offset=0.2)
    truth = definition(mono, spec())
    assert np.abs(fbank(mono, spec()) - truth).mean() <= np.abs(by_kaldi(mono, spec()) - truth).mean()
