# SPDX-License-Identifier: Apache-2.0
"""Corruptions keep what a sensor promises, grow with severity, and are as strong as they say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, signal
from skimage.filters import gaussian
from skimage.util import random_noise

from rvl_edge.errors import BadDtype, BadShape, ConfigError
from rvl_edge.offline.evaluation.corruptions import SEVERITIES, corrupt, corruptions_of
from rvl_edge.offline.evaluation.corruptions.blur import gaussian_blur, smear, zoom
from rvl_edge.offline.evaluation.corruptions.tables import CIFAR_C, IMAGENET_C, table_for
from rvl_edge.offline.evaluation.corruptions.textures import plasma
from rvl_edge.types import Modality

RATE = 16_000
ALL = [(modality, name) for modality in Modality for name in corruptions_of(modality)]


def scene(side: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with edges, as pictures have them."""
    random = np.random.default_rng(seed)
    coarse = cv2.resize(random.random((5, 5, 3)), (side, side), interpolation=cv2.INTER_CUBIC)
    coarse[side // 4 : side // 2, side // 3 :] *= 0.4
    fine = 0.08 * random.random((side, side, 1))
    return np.round(np.clip(0.8 * coarse + fine, 0, 1) * 255).astype(np.uint8)


def sound() -> np.ndarray:
    seconds = np.arange(RATE) / RATE
    chirp = signal.chirp(seconds, 60, 1, 7000) * np.exp(-2 * seconds)
    return (0.3 * chirp + 0.01 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)


def sample(modality: Modality, seed: int = 0) -> np.ndarray:
    if modality is Modality.AUDIO:
        return sound()
    if modality is Modality.VIDEO:
        wide = scene(48, seed)
        return np.stack([wide[:32, 2 * t : 2 * t + 32] for t in range(8)])
    picture = scene(32, seed)
    if modality is Modality.THERMAL:
        return picture[..., 0]
    return (1000 + 20 * picture[..., 0].astype(np.uint16)) if modality is Modality.DEPTH else picture


def corrupted(modality: Modality, name: str, severity: int, seed: int = 0, **given: np.ndarray) -> np.ndarray:
    clean = given.get("clean", sample(modality, seed))
    return corrupt(clean, modality, name, severity, seed=(1, seed), sample_rate=RATE)


@pytest.mark.parametrize(("modality", "name"), ALL)
def test_the_sensors_shape_and_type_stay_and_the_sample_is_left_alone(modality: Modality, name: str) -> None:
    clean = sample(modality)
    before = clean.copy()
    found = [corrupted(modality, name, severity, clean=clean) for severity in SEVERITIES]
    assert {(each.shape, each.dtype) for each in found} == {(clean.shape, clean.dtype)}
    assert all(np.isfinite(each).all() for each in found)
    np.testing.assert_array_equal(clean, before)
    assert not np.array_equal(found[4], clean)


@pytest.mark.parametrize(("modality", "name"), ALL)
def test_one_seed_gives_one_sample(modality: Modality, name: str) -> None:
    first, again = (corrupted(modality, name, 3) for _ in range(2))
    np.testing.assert_array_equal(first, again)


# The published tables are set by how hard they are to answer: these trade displacement against sharpness.
TRADED = {"elastic_transform", "glass_blur", "snow", "frost", "pixelate", "jpeg_compression"}


@pytest.mark.parametrize(("modality", "name"), [each for each in ALL if each[1] not in TRADED])
def test_no_severity_is_nearer_to_the_sample_than_the_last(modality: Modality, name: str) -> None:
    distances = [
        np.mean(
            [
                np.abs(
                    corrupted(modality, name, severity, seed) - sample(modality, seed).astype(float)
                ).mean()
                for seed in range(12)
            ]
        )
        for severity in SEVERITIES
    ]
    assert (np.diff(distances) >= 0).all(), distances
    assert distances[4] > 1.5 * distances[0]


@pytest.mark.parametrize("name", sorted(TRADED - {"elastic_transform"}))
def test_the_worst_severity_of_the_others_is_further_than_the_least(name: str) -> None:
    least, worst = (
        np.mean(
            [
                np.abs(
                    corrupted(Modality.IMAGE, name, severity, seed)
                    - sample(Modality.IMAGE, seed).astype(float)
                )
                for seed in range(8)
            ]
        )
        for severity in (1, 5)
    )
    assert worst > least


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "impulse_noise", "snow", "fog"])
def test_another_seed_gives_another_sample(name: str) -> None:
    clean = sample(Modality.IMAGE)
    first, second = (corrupt(clean, Modality.IMAGE, name, 3, seed=seed) for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_all_fifteen_run_by_the_table_of_the_pictures_size() -> None:
    assert len(corruptions_of(Modality.IMAGE)) == 15
    assert table_for(32) is CIFAR_C
    assert table_for(64) is CIFAR_C
    assert table_for(112) is IMAGENET_C
    wide = np.concatenate([scene(120), scene(120, 1)], axis=1)
    for name in corruptions_of(Modality.IMAGE):
        assert corrupt(wide, Modality.IMAGE, name, 5, seed=0).shape == wide.shape


def test_noise_has_the_strength_of_its_table() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    noisy = corrupt(grey, Modality.IMAGE, "gaussian_noise", 1, seed=0) / 255
    assert noisy.std() == pytest.approx(IMAGENET_C.gaussian_noise[0], rel=0.02)
    counted = corrupt(grey, Modality.IMAGE, "shot_noise", 1, seed=0) / 255
    assert counted.std() == pytest.approx((grey[0, 0, 0] / 255 / IMAGENET_C.shot_noise[0]) ** 0.5, rel=0.03)
    hit = corrupt(grey, Modality.IMAGE, "impulse_noise", 3, seed=0)
    oracle = random_noise(grey / 255, mode="s&p", amount=IMAGENET_C.impulse_noise[2], rng=0)
    assert (hit != 128).mean() == pytest.approx((np.abs(oracle - 128 / 255) > 0.1).mean(), rel=0.05)


@pytest.mark.parametrize("sigma", [0.4, 1.5, 6.4])
def test_gaussian_blur_is_that_of_scipy_and_skimage(sigma: float) -> None:
    picture = scene(32).astype(np.float32) / 255
    ours = gaussian_blur(picture, sigma, 4.0, cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(ours, gaussian(picture, sigma, channel_axis=2), atol=2e-6)
    field = picture[..., 0]
    reflected = gaussian_blur(field, sigma, 3.0, cv2.BORDER_REFLECT)
    np.testing.assert_allclose(reflected, ndimage.gaussian_filter(field, sigma, truncate=3), atol=2e-6)


def test_a_smear_is_a_half_gaussian_along_its_direction() -> None:
    spot = np.zeros((41, 41), np.float32)
    spot[20, 20] = 1
    trail = smear(spot, 6, 2.0, 0)
    weights = np.exp(-(np.arange(13) ** 2) / 8)
    np.testing.assert_allclose(np.sort(trail[20])[::-1][:13], weights / weights.sum(), atol=1e-6)
    slanted = smear(spot, 6, 2.0, 30)
    rows, columns = np.nonzero(slanted > 0.02)
    assert slanted.sum() == pytest.approx(1, abs=1e-5)
    slope = np.polyfit(columns - 20, rows - 20, 1)[0]
    assert abs(slope) == pytest.approx(np.tan(np.pi / 6), abs=0.15)


def test_zoom_keeps_the_centre_and_enlarges_about_it() -> None:
    rows = np.repeat(np.arange(33, dtype=np.float32)[:, None], 33, axis=1)
    np.testing.assert_allclose(zoom(rows, 2.0), 16 + (rows - 16) / 2, atol=1e-4)


def test_pixelate_is_pillows_box_down_and_up() -> None:
    picture = scene(224)
    boxes = (
        Image.fromarray(picture)
        .resize((56, 56), Image.Resampling.BOX)
        .resize((224, 224), Image.Resampling.BOX)
    )
    ours = corrupt(picture, Modality.IMAGE, "pixelate", 5, seed=0)
    assert np.abs(ours.astype(int) - np.asarray(boxes).astype(int)).max() <= 1


def test_a_cloud_spans_its_range_and_roughens_as_its_decay_falls() -> None:
    smooth, rough = (plasma(64, decay, np.random.default_rng(0)) for decay in (3.0, 1.4))
    assert smooth.shape == (64, 64)
    assert (smooth.min(), smooth.max()) == (0, 1)
    assert np.abs(np.diff(rough)).mean() > 2 * np.abs(np.diff(smooth)).mean()


@pytest.mark.parametrize(("name", "decibels"), [("white_noise", 10), ("pink_noise", 10), ("wind", 0)])
def test_noise_on_a_sound_has_the_snr_it_says(name: str, decibels: float) -> None:
    clean = sound().astype(np.float64)
    noise = corrupt(clean, Modality.AUDIO, name, 3, seed=0, sample_rate=RATE) - clean
    assert 10 * np.log10(np.mean(clean**2) / np.mean(noise**2)) == pytest.approx(decibels, abs=0.5)


def test_pink_noise_has_equal_power_in_octaves_and_wind_is_low() -> None:
    silence = np.zeros(8 * RATE)

    def bands(name: str) -> list[float]:
        noise = corrupt(silence, Modality.AUDIO, name, 3, seed=0, sample_rate=RATE)
        hertz, density = signal.welch(noise, RATE, nperseg=4096)
        return [density[(hertz >= low) & (hertz < 2 * low)].sum() for low in (125, 500, 2000)]

    pink, wind = bands("pink_noise"), bands("wind")
    assert max(pink) / min(pink) < 1.3
    assert wind[0] > 30 * wind[1] > 900 * wind[2]


def test_the_telephone_passes_speech_and_stops_bass_and_treble() -> None:
    seconds = np.arange(RATE) / RATE

    def passed(hertz: float) -> float:
        tone = np.sin(2 * np.pi * hertz * seconds)
        heard = corrupt(tone, Modality.AUDIO, "band_limit", 3, seed=0, sample_rate=RATE)
        return float(20 * np.log10(heard.std() / tone.std()))

    assert passed(1000) == pytest.approx(0, abs=0.1)
    assert passed(300) == pytest.approx(-3, abs=0.1)
    assert passed(75) == pytest.approx(-48, abs=1)
    assert passed(6800) == pytest.approx(-24, abs=1)


def test_a_room_decays_by_60_decibels_in_its_time() -> None:
    click = np.zeros(2 * RATE)
    click[0] = 1
    room = corrupt(click, Modality.AUDIO, "reverberation", 3, seed=0, sample_rate=RATE)
    left = np.cumsum(room[:0:-1] ** 2)[::-1]  # Schroeder 1965
    decay = 10 * np.log10(left[: int(0.5 * RATE)] / left[0])
    slope = np.polyfit(np.arange(len(decay)) / RATE, decay, 1)[0]
    assert slope == pytest.approx(-60 / 0.7, rel=0.05)
    assert 10 * np.log10(room[0] ** 2 / left[0]) == pytest.approx(3, abs=0.1)
    assert np.mean(room**2) == pytest.approx(np.mean(click**2))


def test_drop_outs_silence_whole_packets() -> None:
    heard = corrupt(np.ones(RATE), Modality.AUDIO, "drop_outs", 5, seed=0, sample_rate=RATE)
    packets = heard.reshape(-1, 320)
    assert (packets == packets[:, :1]).all()
    assert (packets[:, 0] == 0).mean() == pytest.approx(0.4, abs=0.15)


def test_silence_stays_a_finite_sound() -> None:
    for name in corruptions_of(Modality.AUDIO):
        heard = corrupt(np.zeros((800, 2), np.float32), Modality.AUDIO, name, 5, seed=0, sample_rate=RATE)
        assert np.isfinite(heard).all()
        assert np.abs(heard).max() < 1e-3


def test_thermal_noise_is_a_part_of_the_scenes_span_whatever_the_unit() -> None:
    kelvin = np.linspace(290, 300, 64 * 64).reshape(64, 64)
    span = np.diff(np.percentile(kelvin, (1, 99)))[0]
    for scale, dtype in ((1, np.float64), (100, np.uint16)):
        clean = (kelvin * scale).astype(dtype)
        noise = corrupt(clean, Modality.THERMAL, "noise", 4, seed=0) - clean.astype(float)
        assert noise.std() == pytest.approx(0.07 * span * scale, rel=0.03)


def test_invalid_thermal_pixels_stay_invalid_and_spread_to_none() -> None:
    kelvin = np.linspace(290, 300, 64 * 64).reshape(64, 64)
    kelvin[10:14, 10:14] = np.nan
    for name in corruptions_of(Modality.THERMAL):
        seen = corrupt(kelvin, Modality.THERMAL, name, 5, seed=0)
        np.testing.assert_array_equal(np.isnan(seen), np.isnan(kelvin))


def test_holes_cover_their_part_and_what_was_not_measured_stays_so() -> None:
    metres = np.full((80, 80), 2.0, np.float32)
    metres[:5] = 0
    seen = corrupt(metres, Modality.DEPTH, "holes", 3, seed=0)
    assert np.isnan(seen).mean() == pytest.approx(0.2, abs=0.02)
    assert (seen[:5] == 0).all()
    millimetres = np.full((80, 80), 2000, np.uint16)
    assert (corrupt(millimetres, Modality.DEPTH, "holes", 3, seed=0) == 0).mean() == pytest.approx(
        0.2, abs=0.01
    )


def test_far_noise_and_quantisation_grow_with_the_square_of_depth() -> None:
    near, far = (np.full((100, 100), depth, np.float32) for depth in (1, 4))
    spread = [(corrupt(each, Modality.DEPTH, "far_noise", 3, seed=0) - each).std() for each in (near, far)]
    assert spread[0] == pytest.approx(0.01, rel=0.05)
    assert spread[1] / spread[0] == pytest.approx(16, rel=0.01)
    ramp = np.linspace(0.5, 5, 200_000, dtype=np.float32)[None]
    levels = np.unique(corrupt(ramp, Modality.DEPTH, "quantisation", 3, seed=0))
    steps = np.diff(levels)
    np.testing.assert_allclose(steps / (levels[1:] * levels[:-1]), 0.02, rtol=1e-3)


def test_the_shadow_of_a_near_thing_lies_left_of_it() -> None:
    metres = np.full((20, 200), 4.0, np.float32)
    metres[:, 100:140] = 1.0
    seen = corrupt(metres, Modality.DEPTH, "edge_shadows", 4, seed=0)
    assert np.isnan(seen[0]).nonzero()[0].tolist() == [94, 95, 96, 97, 98, 99]


def test_a_lost_frame_shows_the_last_that_came() -> None:
    clip = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    shown = corrupt(clip, Modality.VIDEO, "dropped_frames", 3, seed=0)[:, 0, 0, 0].astype(int)
    assert shown[0] == 0
    assert ((shown == np.arange(40)) | (shown == np.roll(shown, 1)))[1:].all()
    frozen = corrupt(clip, Modality.VIDEO, "frozen_frames", 3, seed=0)[:, 0, 0, 0]
    assert frozen.tolist() == [*range(20), *[19] * 20]


def test_motion_blur_of_steady_brightening_is_a_delay() -> None:
    clip = (4 * np.arange(40, dtype=np.uint8))[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    shown = corrupt(clip, Modality.VIDEO, "motion_blur", 4, seed=0)[:, 0, 0, 0].astype(int)
    np.testing.assert_array_equal(shown[4:], clip[4:, 0, 0, 0].astype(int) - 4)


def test_what_cannot_be_corrupted_is_refused() -> None:
    picture = scene(32)
    with pytest.raises(ConfigError, match="one of gaussian_noise"):
        corrupt(picture, Modality.IMAGE, "rain", 1, seed=0)
    with pytest.raises(ConfigError, match="1 to 5"):
        corrupt(picture, Modality.IMAGE, "fog", 6, seed=0)
    with pytest.raises(BadShape, match=r"\(H, W, 3\) uint8"):
        corrupt(picture[..., 0], Modality.IMAGE, "fog", 1, seed=0)
    with pytest.raises(ConfigError, match="own rate"):
        corrupt(sound(), Modality.AUDIO, "gain", 1, seed=0)
    with pytest.raises(BadDtype, match="float32"):
        corrupt(np.zeros(800, np.int16), Modality.AUDIO, "gain", 1, seed=0, sample_rate=RATE)
