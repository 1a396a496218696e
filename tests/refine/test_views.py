# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvl_edge.errors import BadShape, ConfigError, NonFinite
from rvl_edge.refine import frame_seed, make_views
from rvl_edge.types import Modality

SHAPES = {
    Modality.IMAGE: (3, 24, 32),
    Modality.THERMAL: (3, 20, 20),
    Modality.DEPTH: (3, 20, 24),
    Modality.AUDIO: (3, 16, 50),
    Modality.VIDEO: (3, 4, 24, 32),
}
senses = pytest.mark.parametrize("modality", list(Modality))


def noise(modality: Modality, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SHAPES[modality]).astype(np.float32)


def ramp(modality: Modality) -> np.ndarray:
    """Brightness 0 at the left to 1 at the right, in every plane."""
    shape = SHAPES[modality]
    return np.broadcast_to(np.linspace(0, 1, shape[-1], dtype=np.float32), shape).copy()


@senses
def test_the_first_is_the_sample_and_the_others_are_not(modality: Modality) -> None:
    sample = noise(modality)
    before = sample.copy()
    views = make_views(sample, modality, 5, seed=1)
    assert (views.shape, views.dtype) == ((5, *sample.shape), np.float32)
    np.testing.assert_array_equal(views[0], sample)
    np.testing.assert_array_equal(sample, before)
    assert len(np.unique(views.reshape(5, -1), axis=0)) == 5


@senses
def test_the_seed_decides_and_a_prefix_stays_a_prefix(modality: Modality) -> None:
    sample = noise(modality)
    five = make_views(sample, modality, 5, seed=1)
    np.testing.assert_array_equal(five, make_views(sample, modality, 5, seed=1))
    np.testing.assert_array_equal(five[:3], make_views(sample, modality, 3, seed=1))
    assert (five[1:] != make_views(sample, modality, 5, seed=2)[1:]).any()


def test_a_frame_keeps_its_seed_in_any_memory_layout_and_another_frame_has_another() -> None:
    sample = noise(Modality.IMAGE)
    seed = frame_seed(sample)
    assert seed == frame_seed(sample.copy(order="F")) == frame_seed(np.repeat(sample, 2, axis=2)[..., ::2])
    sample[1, 2, 3] = np.nextafter(sample[1, 2, 3], np.float32(9))
    assert seed != frame_seed(sample)


@senses
def test_memory_layout_changes_no_view(modality: Modality) -> None:
    sample = noise(modality)
    np.testing.assert_array_equal(
        make_views(sample, modality, 4, seed=3), make_views(np.asfortranarray(sample), modality, 4, seed=3)
    )


@pytest.mark.parametrize("modality", [Modality.IMAGE, Modality.THERMAL, Modality.DEPTH])
def test_pictures_are_cropped_flipped_and_kept_in_range(modality: Modality) -> None:
    views = make_views(ramp(modality), modality, 64, seed=4, keep=0.5)
    rows = views[:, 0, 0]
    steps = np.diff(rows, axis=1)
    rising, falling = (steps >= -1e-6).all(axis=1), (steps <= 1e-6).all(axis=1)
    assert (rising | falling).all(), "a crop of a ramp is a ramp"
    assert rising.sum() > 16
    assert falling.sum() > 16
    span = rows.max(axis=1) - rows.min(axis=1)
    assert span.min() > 0.55, "half the area at 3:4 leaves at least 0.61 of the width, less half a pixel"
    assert span[1:].min() < 0.8
    assert views.min() >= 0
    assert views.max() <= 1


def test_all_frames_of_a_video_get_one_crop_and_no_flip() -> None:
    frame = noise(Modality.IMAGE)
    video = np.repeat(frame[:, None], 4, axis=1)
    for view in make_views(video, Modality.VIDEO, 16, seed=5):
        np.testing.assert_array_equal(view, np.repeat(view[:, :1], 4, axis=1))
    assert (np.diff(make_views(ramp(Modality.VIDEO), Modality.VIDEO, 64, seed=6), axis=-1) >= -1e-6).all()


def test_frames_of_a_video_keep_their_order() -> None:
    shape = SHAPES[Modality.VIDEO]
    video = np.broadcast_to(np.arange(shape[1], dtype=np.float32)[:, None, None], shape)
    for view in make_views(video, Modality.VIDEO, 8, seed=7):
        np.testing.assert_allclose(view, video, atol=1e-6)


def test_a_sound_is_a_rotated_repeated_part_of_itself_in_all_channels_and_bands() -> None:
    frames = SHAPES[Modality.AUDIO][-1]
    sample = noise(Modality.AUDIO)
    clock = np.broadcast_to(np.arange(frames, dtype=np.float32), SHAPES[Modality.AUDIO])
    for view, times in zip(
        make_views(sample, Modality.AUDIO, 32, seed=8, keep=0.5),
        make_views(clock, Modality.AUDIO, 32, seed=8, keep=0.5),
        strict=True,
    ):
        order = times[0, 0].astype(int)
        np.testing.assert_array_equal(view, sample[..., order])
        kept = np.unique(order)
        assert len(kept) >= frames // 2
        np.testing.assert_array_equal(kept, np.arange(kept[0], kept[-1] + 1))
        steps = np.diff(order)
        assert set(steps[steps != 1]) <= {1 - len(kept)}, "time runs forward but for the seams"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(Modality)),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(0, 2**32),
)
def test_any_size_works(modality: Modality, height: int, width: int, count: int, seed: int) -> None:
    shape = (3, 2, height, width) if modality is Modality.VIDEO else (3, height, width)
    sample = np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
    views = make_views(sample, modality, count, seed)
    assert views.shape == (count, *shape)
    assert views.min() >= sample.min() - 1e-6
    assert views.max() <= sample.max() + 1e-6


@senses
def test_refuses_bad_samples(modality: Modality) -> None:
    sample = noise(modality)
    with pytest.raises(BadShape, match="axes"):
        make_views(sample[0], modality, 5, seed=0)
    with pytest.raises(BadShape, match="axes"):
        make_views(sample[..., :0], modality, 5, seed=0)
    with pytest.raises(ConfigError, match="0 views"):
        make_views(sample, modality, 0, seed=0)
    sample.flat[7] = np.nan
    with pytest.raises(NonFinite, match=str(modality)):
        make_views(sample, modality, 5, seed=0)
