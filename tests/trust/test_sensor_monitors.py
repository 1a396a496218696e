# SPDX-License-Identifier: Apache-2.0
"""Statistics of sensors' samples against what is known of the samples."""

from __future__ import annotations

from math import exp

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

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
from rvl_edge.trust import depth, picture, sound, thermal
from rvl_edge.trust.frozen import Frozen, Still
from rvl_edge.trust.monitor import Observation
from rvl_edge.trust.panel import sensor_monitors
from rvl_edge.types import Modality

STATISTICS = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3)}
IMAGE = ImageSpec(size=32, **STATISTICS)
THERMAL = ThermalSpec(size=32, **STATISTICS)
DEPTH = DepthSpec(size=32, **STATISTICS)
VIDEO = VideoSpec(size=32, num_frames=4, **STATISTICS)
AUDIO = AudioSpec(num_mel_bins=32, target_length=64, mean=-4.0, std=4.0)
NOTHING = np.zeros(1, np.float32)


def image(rgb: npt.NDArray[np.uint8]) -> Observation:
    return Observation(rgb, preprocess_image(rgb, IMAGE), IMAGE, NOTHING)


def imager(counts: npt.NDArray[np.generic], spec: ThermalSpec = THERMAL) -> Observation:
    return Observation(counts, preprocess_thermal(counts, spec), spec, NOTHING)


def clip(frames: npt.NDArray[np.uint8]) -> Observation:
    return Observation(frames, preprocess_video(frames, VIDEO), VIDEO, NOTHING)


def microphone(pcm: npt.NDArray[np.generic]) -> Observation:
    return Observation(pcm, preprocess_audio(pcm, AUDIO, sample_rate=16_000), AUDIO, NOTHING)


@pytest.fixture
def scene() -> npt.NDArray[np.uint8]:
    """A smooth picture with edges."""
    rgb = np.full((96, 96, 3), 90, np.uint8)
    cv2.circle(rgb, (40, 50), 25, (200, 160, 120), -1)
    cv2.rectangle(rgb, (60, 10), (90, 40), (30, 60, 200), -1)
    return rgb


@pytest.fixture
def tone() -> npt.NDArray[np.float32]:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.float32)


def test_exposure_and_contrast_are_mean_and_deviation_of_the_unscaled_picture() -> None:
    halves = np.zeros((32, 32, 3), np.uint8)
    halves[:, 16:] = 204
    seen = image(halves)
    assert picture.exposure(seen) == pytest.approx(0.1, abs=1e-5)
    assert exp(-picture.contrast(seen)) == pytest.approx(0.4 + 1e-3, rel=1e-3)


@pytest.mark.parametrize("sigma", [4.0, 12.0])
def test_noise_is_measured_in_parts_of_full_scale(sigma: float) -> None:
    random = np.random.default_rng(0)
    grey = np.clip(128 + sigma * random.normal(size=(32, 32)), 0, 255).round().astype(np.uint8)
    measured = exp(picture.noise(image(np.repeat(grey[..., None], 3, axis=2))))
    assert measured == pytest.approx(sigma / 255, rel=0.15)


def test_blur_rises_with_blur_and_not_with_contrast(scene: npt.NDArray[np.uint8]) -> None:
    small = cv2.resize(scene, (32, 32), interpolation=cv2.INTER_AREA)
    values = [picture.blur(image(cv2.GaussianBlur(small, (0, 0), sigma))) for sigma in (0.3, 1.0, 2.0)]
    assert values == sorted(values)
    assert values[-1] > values[0] + 1
    assert picture.blur(image(small // 2)) == pytest.approx(picture.blur(image(small)), abs=0.1)


def test_clipped_and_blank_look_at_the_sensors_own_pixels(scene: npt.NDArray[np.uint8]) -> None:
    burnt = scene.copy()
    burnt[:48] = 255
    assert picture.clipped(image(burnt)) == pytest.approx(0.5, abs=0.02)
    assert picture.clipped(image(scene)) == 0
    assert picture.BLANK.rule.trust(picture.blank(image(scene))) == 1
    assert picture.BLANK.rule.trust(picture.blank(image(scene[..., 0]))) == 1


@pytest.mark.parametrize("colour", [(17, 17, 17), (0, 135, 0), (0, 0, 255)])
def test_a_picture_of_one_colour_is_blank(scene: npt.NDArray[np.uint8], colour: tuple[int, ...]) -> None:
    plain = np.empty_like(scene)
    plain[:] = colour
    for seen in (image(plain), clip(plain[None])):
        assert picture.BLANK.rule.trust(picture.blank(seen)) == 0


def test_structure_in_one_channel_is_no_blank_picture(scene: npt.NDArray[np.uint8]) -> None:
    red = scene * np.array([1, 0, 0], np.uint8)
    assert picture.BLANK.rule.trust(picture.blank(image(red))) == 1


def test_alpha_is_no_light(scene: npt.NDArray[np.uint8]) -> None:
    def opaque(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=2)

    for rgb in (scene, np.zeros_like(scene)):
        for measure in (picture.clipped, picture.blank):
            assert measure(image(opaque(rgb))) == measure(image(rgb))


def test_frozen_counts_repeats_and_forgets_them(scene: npt.NDArray[np.uint8]) -> None:
    frozen, other = Frozen(), scene + np.uint8(1)
    frames = [scene, scene, scene.copy(), scene, other, scene, scene[:50], scene[:50]]
    assert [frozen.statistic(image(np.ascontiguousarray(each))) for each in frames] == [
        0,
        1,
        2,
        3,
        0,
        0,
        0,
        1,
    ]
    assert [frozen.rule.trust(each) for each in (0, 1, 2, 3, 9)] == [1, 1, 0.5, 0, 0]


def test_a_clip_repeats_its_frames(scene: npt.NDArray[np.uint8]) -> None:
    moving = np.stack([np.roll(scene, 3 * step, axis=1) for step in range(5)])
    assert Still().statistic(clip(moving)) == 0
    assert Still().statistic(clip(moving[[0, 0, 0, 1, 1]])) == 0.75
    assert Still().statistic(clip(moving[:1])) is None


def test_dead_pixels_are_counted() -> None:
    random = np.random.default_rng(0)
    field = np.tile(np.linspace(20_000, 30_000, 80), (60, 1)) + random.normal(0, 20, (60, 80))
    counts = field.astype(np.uint16)
    assert exp(thermal.dead_pixels(imager(counts))) == pytest.approx(1e-4)
    dead = [(5, 7), (20, 30), (40, 12), (50, 70), (33, 55)]
    for row, column in dead:
        counts[row, column] = 65_000 if row % 2 else 0
    assert exp(thermal.dead_pixels(imager(counts))) == pytest.approx(len(dead) / 4800 + 1e-4)
    floats = field.astype(np.float32)
    floats[::4, ::4] = np.nan
    assert exp(thermal.dead_pixels(imager(floats))) == pytest.approx(1 / 16 + 1e-4)


def test_a_stuck_column_is_off_by_what_it_is_off() -> None:
    random = np.random.default_rng(0)
    counts = np.tile(np.linspace(100, 150, 64), (64, 1)) + random.normal(0, 1, (64, 64))
    assert thermal.stuck_lines(imager(counts.astype(np.uint8))) < 0.05
    counts[:, 20] += 25
    assert thermal.stuck_lines(imager(counts.astype(np.uint8))) == pytest.approx(0.5, abs=0.1)


def test_pixels_without_a_value_are_no_stuck_lines_and_no_range() -> None:
    random = np.random.default_rng(0)
    kelvin = random.normal(300, 2, (60, 80)).astype(np.float32)
    holed = kelvin.copy()
    holed[10:14, 20:60] = np.nan
    holed[30, 3], holed[31, 3] = np.inf, -np.inf
    for measure in (thermal.stuck_lines, thermal.saturated):
        assert measure(imager(holed)) == pytest.approx(measure(imager(kelvin)), abs=0.08)
    jump = thermal.RangeJump()
    jump.statistic(imager(kelvin))
    assert jump.statistic(imager(holed)) < 0.1


def test_a_range_that_jumps_shares_little_with_the_one_before() -> None:
    random = np.random.default_rng(0)
    counts = random.integers(20_000, 30_000, (60, 80)).astype(np.uint16)
    jump = thermal.RangeJump()
    assert jump.statistic(imager(counts)) is None
    assert jump.statistic(imager(counts)) == 0
    assert jump.statistic(imager(counts + np.uint16(5000))) == pytest.approx(2 / 3, abs=0.02)
    assert jump.statistic(imager((counts // 100).astype(np.uint16))) == 1  # centikelvin became kelvin


def test_a_cameras_own_value_for_no_value_is_none_to_the_monitors() -> None:
    counts = np.tile(np.linspace(7000, 8000, 80), (60, 1)).astype(np.uint16)
    hot = np.tile(np.linspace(20_000, 30_000, 80), (60, 1)).astype(np.uint16)
    holes = np.zeros((60, 80), bool)
    holes[15:45, 20:60] = True
    counts[holes] = hot[holes] = 0
    own = ThermalSpec(size=32, invalid_value=0, **STATISTICS)
    jump = thermal.RangeJump()
    jump.statistic(imager(counts, own))
    assert jump.statistic(imager(hot, own)) == 1
    assert thermal.saturated(imager(counts, own)) == pytest.approx(2 / 80, abs=0.03)
    assert thermal.saturated(imager(counts)) > 0.25, "where nothing says that they are none, they are values"
    assert exp(thermal.dead_pixels(imager(counts, own))) == pytest.approx(0.25 + 1e-4)


def test_black_of_a_picture_that_the_camera_has_gained_is_a_value() -> None:
    own = ThermalSpec(size=32, invalid_value=0, **STATISTICS)
    black = np.zeros((60, 80), np.uint8)
    grey = np.tile(np.linspace(0, 200, 80), (60, 1)).astype(np.uint8)
    assert exp(thermal.dead_pixels(imager(grey, own))) == pytest.approx(1e-4)
    assert thermal.saturated(imager(black, own)) == 1


def test_holes_are_pixels_without_depth() -> None:
    field = np.full((40, 40), 1500, np.uint16)
    field[:, :30] = 0
    seen = Observation(field, preprocess_depth(field, DEPTH), DEPTH, NOTHING)
    assert depth.holes(seen) == 0.75
    assert 0 < depth.HOLES.rule.trust(0.75) < 1


def test_levels_of_sound(tone: npt.NDArray[np.float32]) -> None:
    assert sound.level(microphone(tone)) == pytest.approx(20 * np.log10(np.sqrt(2) / 0.3), abs=0.01)
    assert sound.silence(microphone(tone)) == pytest.approx(20 * np.log10(1 / 0.3), abs=0.01)
    pcm = (tone * 32767).astype(np.int16)
    assert sound.level(microphone(pcm)) == pytest.approx(sound.level(microphone(tone)), abs=0.01)
    assert sound.SILENCE.rule.trust(sound.silence(microphone(np.zeros(8000, np.int16)))) == 0


def test_gaps_clipping_and_direct_current(tone: npt.NDArray[np.float32]) -> None:
    torn = tone.copy()
    torn[4000:5600] = 0
    assert exp(sound.drop_outs(microphone(torn))) == pytest.approx(0.1 + 1e-3, abs=2e-3)
    padded = np.concatenate([tone, np.zeros(16_000, np.float32)])
    assert exp(sound.drop_outs(microphone(padded))) == pytest.approx(1e-3)
    overdriven = np.clip(tone, -0.15, 0.15)
    assert exp(sound.clipping(microphone(overdriven))) == pytest.approx(2 / 3, abs=0.01)
    assert exp(sound.clipping(microphone(tone))) < 0.05
    shifted = sound.direct_current(microphone(tone + np.float32(0.3)))
    assert exp(shifted) == pytest.approx(0.3 / np.sqrt(0.09 + 0.045), abs=2e-3)


def test_noise_is_flatter_than_a_tone(tone: npt.NDArray[np.float32]) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    assert sound.hiss(microphone(tone)) < sound.hiss(microphone(noise)) - 1


@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_any_picture_has_finite_statistics(rgb: npt.NDArray[np.uint8]) -> None:
    for monitor in sensor_monitors(Modality.IMAGE):
        value = monitor.statistic(image(rgb))
        assert value is not None and np.isfinite(value), monitor.name  # noqa: PT018
        assert monitor.explain(value, value)


@given(arrays(np.uint16, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_any_thermal_picture_has_finite_statistics(counts: npt.NDArray[np.uint16]) -> None:
    for monitor in sensor_monitors(Modality.THERMAL):
        value = monitor.statistic(imager(counts))
        assert value is None or np.isfinite(value), monitor.name


@given(arrays(np.int16, st.integers(400, 2000)))
def test_any_sound_has_finite_statistics(pcm: npt.NDArray[np.int16]) -> None:
    for monitor in sensor_monitors(Modality.AUDIO):
        value = monitor.statistic(microphone(pcm))
        assert value is not None and np.isfinite(value), monitor.name  # noqa: PT018
