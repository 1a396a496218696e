# SPDX-License-Identifier: Apache-2.0
"""Domains against the robot's own preprocessing, and their gradients against finite differences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.domains import (
    Camera,
    DepthCamera,
    Domain,
    ThermalCamera,
    Waveform,
    domain_of,
)
from rvl_edge.offline.hardening.domains.filter_bank import fbank
from rvl_edge.offline.hardening.threat import Norm, Threat
from rvl_edge.preprocess import (
    AudioSpec,
    DepthSpec,
    ImageSpec,
    ThermalSpec,
    VideoSpec,
    preprocess_audio,
    preprocess_depth,
    preprocess_image,
    preprocess_thermal,
    preprocess_video,
)
from rvl_edge.preprocess.fbank import fbank as robots_fbank
from rvl_edge.preprocess.spec import FixedRange, PercentileRange

PICTURE: dict[str, Any] = {"size": 16, "mean": (0.5, 0.4, 0.3), "std": (0.25, 0.3, 0.2)}
SHAPES = ((16, 16), (20, 31), (48, 37), (9, 12))
AUDIO = AudioSpec(num_mel_bins=24, target_length=40, mean=-4.0, std=5.0)


def _random(*shape: int, high: int = 256, dtype: type = np.uint8) -> npt.NDArray[Any]:
    return np.random.default_rng(0).integers(0, high, shape, dtype)


def _assert_equal(found: Tensor, expected: npt.NDArray[Any], atol: float = 2e-5) -> None:
    torch.testing.assert_close(found[0], torch.from_numpy(expected), atol=atol, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kernel", [("bicubic", True), ("bicubic", False), ("bilinear", True)])
def test_a_cameras_picture_becomes_what_the_robot_makes_of_it(
    shape: tuple[int, int], kernel: tuple[Any, bool]
) -> None:
    spec = ImageSpec(**PICTURE, interpolation=kernel[0], antialias=kernel[1])
    rgb = _random(*shape, 3)
    domain = Camera(spec)
    samples = domain.samples(torch.from_numpy(rgb).permute(2, 0, 1)[None])
    _assert_equal(domain.model_input(samples), preprocess_image(rgb, spec))


def test_frames_become_what_the_robot_makes_of_them() -> None:
    spec = VideoSpec(**PICTURE, num_frames=3)
    frames = _random(3, 20, 31, 3)
    domain = Camera(spec)
    samples = domain.samples(torch.from_numpy(frames).permute(3, 0, 1, 2)[None])
    _assert_equal(domain.model_input(samples), preprocess_video(frames, spec))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "chosen",
    [PercentileRange(), PercentileRange(low=0, high=100), FixedRange(low=100, high=3000, unit="counts")],
)
def test_thermal_counts_become_what_the_robot_makes_of_them(
    shape: tuple[int, int], chosen: PercentileRange | FixedRange
) -> None:
    spec = ThermalSpec(**PICTURE, range=chosen)
    counts = _random(*shape, high=4000, dtype=np.uint16)
    domain = ThermalCamera(spec, low=0, high=4000)
    samples = domain.samples(torch.from_numpy(counts.astype(np.float64))[None, None])
    _assert_equal(domain.model_input(samples), preprocess_thermal(counts, spec))


@pytest.mark.parametrize("spots", [0, 1])
def test_scenes_of_one_temperature_are_read_as_the_robot_does(spots: int) -> None:
    spec = ThermalSpec(**PICTURE)
    counts = np.full((20, 20), 300, np.uint16)
    counts[:spots, 0] = 400
    domain = ThermalCamera(spec, low=200, high=500)
    samples = domain.samples(torch.from_numpy(counts.astype(np.float64))[None, None]).requires_grad_(True)
    found = domain.model_input(samples)
    _assert_equal(found, preprocess_thermal(counts, spec))
    (gradient,) = torch.autograd.grad(found.sum(), samples)
    assert gradient.isfinite().all()


def test_eight_bit_thermal_pictures_are_pictures() -> None:
    spec = ThermalSpec(**PICTURE)
    grey = _random(20, 31)
    domain = Camera(spec)
    _assert_equal(
        domain.model_input(domain.samples(torch.from_numpy(grey)[None, None])), preprocess_thermal(grey, spec)
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_depth_becomes_what_the_robot_makes_of_it(shape: tuple[int, int]) -> None:
    spec = DepthSpec(**PICTURE)
    metres = np.random.default_rng(0).uniform(-1, 14, shape).astype(np.float32)
    metres[0, :3] = np.nan, np.inf, 0
    domain = DepthCamera(spec)
    samples = domain.samples(torch.from_numpy(metres)[None, None])
    _assert_equal(domain.model_input(samples), preprocess_depth(metres, spec))


@pytest.mark.parametrize("seconds", [0.03, 0.2, 0.42, 0.43, 1.1, 3.0])
def test_a_sound_becomes_what_the_robot_makes_of_it(seconds: float) -> None:
    mono = np.random.default_rng(0).normal(0, 0.1, int(seconds * 16000)).clip(-1, 1).astype(np.float32)
    domain = Waveform(AUDIO)
    found = domain.model_input(domain.samples(torch.from_numpy(mono)[None]))
    _assert_equal(found, preprocess_audio(mono, AUDIO, sample_rate=16000), atol=1e-3)


def test_the_filter_bank_is_the_robots_at_every_loudness() -> None:
    """A tone far above the noise stresses float32; bins at the floor are excused."""
    time = np.arange(8000) / 16000
    noise = np.random.default_rng(1).normal(0, 1e-3, 8000)
    for gain in (1.0, 1e-2, 1e-4):
        mono = (gain * (0.9 * np.sin(2 * np.pi * 440 * time) + noise)).astype(np.float32)
        expected = robots_fbank(mono, AUDIO)
        found = fbank(torch.from_numpy(mono)[None], AUDIO)[0].numpy()
        floor = np.log(np.finfo(np.float32).eps)
        heard = expected > floor + 1
        assert heard.mean() > 0.05
        np.testing.assert_allclose(found[heard], expected[heard], atol=1e-3, rtol=0)
        assert found.min() >= floor - 1e-5


def test_the_filter_bank_is_kaldis() -> None:
    kaldi = pytest.importorskip("kaldi_native_fbank")
    options = kaldi.FbankOptions()
    options.frame_opts.dither, options.frame_opts.window_type = 0, "hanning"
    options.mel_opts.num_bins, options.use_energy = AUDIO.num_mel_bins, False
    online = kaldi.OnlineFbank(options)
    mono = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    online.accept_waveform(16000, mono.tolist())
    expected = np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])
    found = fbank(torch.from_numpy(mono)[None], AUDIO)[0].numpy()
    np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("domain", "shape"),
    [
        (Camera(ImageSpec(**PICTURE)), (2, 3, 20, 31)),
        (ThermalCamera(ThermalSpec(**PICTURE), 0, 1), (2, 1, 20, 31)),
        (DepthCamera(DepthSpec(**PICTURE)), (2, 1, 20, 31)),
        (Waveform(AUDIO), (2, 3000)),
        (domain_of(AUDIO), (2, 1, 24, 40)),
        (domain_of(ThermalSpec(**PICTURE)), (2, 1, 16, 16)),
        (domain_of(VideoSpec(**PICTURE)), (2, 3, 2, 16, 16)),
    ],
    ids=lambda each: getattr(each, "name", None),
)
def test_gradients_are_those_of_finite_differences(domain: Domain, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    count = math.prod(shape)
    # Values that are apart, so that the step changes no order of pixels, on which thermal ranges depend.
    samples = torch.linspace(0.2, 0.8, count)[torch.randperm(count, generator=generator)].view(shape)
    along = 2 * torch.rand(shape, generator=generator) - 1
    weights = torch.randn(domain.model_input(samples).shape, generator=generator, dtype=torch.float64)

    def value(points: Tensor) -> Tensor:
        return (domain.model_input(points) * weights).sum()

    points = samples.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(value(points), points)
    step = 1e-4
    slope = (value(samples + step * along) - value(samples - step * along)) / (2 * step)
    torch.testing.assert_close(slope, (gradient * along).double().sum(), rtol=0.02, atol=0.05)


def test_half_precision_ends_where_the_encoder_begins() -> None:
    """Autocast would round the resized picture to 8 bits of mantissa, more than a perturbation of 1/255."""
    domain = Camera(ImageSpec(**PICTURE))
    samples = torch.rand(1, 3, 20, 31, generator=torch.Generator().manual_seed(0))
    expected = domain.model_input(samples)
    sound = 0.5 + 0.1 * torch.rand(1, 8000, generator=torch.Generator().manual_seed(0))
    picture = Waveform(AUDIO).model_input(sound)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(domain.model_input(samples), expected)
        torch.testing.assert_close(Waveform(AUDIO).model_input(sound), picture)


def test_a_signal_to_noise_ratio_is_kept_by_every_sound() -> None:
    loudness = torch.tensor([[0.3], [0.01], [0.0]])
    sounds = loudness * torch.randn(3, 4000, generator=torch.Generator().manual_seed(0)).clamp(-3, 3)
    domain = Waveform(AUDIO)
    samples = domain.samples(sounds)
    threat = Threat(Norm.L2, domain.radius(samples, snr_db=20))
    attack = Pgd(threat, steps=3, step_size=1.0)
    found = attack(lambda each, rows: domain.model_input(each).flatten(1).square().sum(dim=1), samples)
    noise = 2 * (found - samples)
    ratio = 20 * torch.log10(sounds[:2].norm(dim=1) / noise[:2].norm(dim=1))
    assert (ratio >= 20 - 1e-2).all()
    assert (ratio <= 20.5).all()
    assert not noise[2].any()


def test_what_cannot_be_a_domain_is_refused() -> None:
    with pytest.raises(ConfigError, match="empty"):
        ThermalCamera(ThermalSpec(**PICTURE), low=5, high=5)
    with pytest.raises(ConfigError, match="one analysis frame"):
        Waveform(AUDIO).model_input(torch.zeros(1, 100))
