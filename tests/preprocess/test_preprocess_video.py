# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvl_edge.errors import BadDtype, BadShape, InputError, NonFinite, TooShort
from rvl_edge.preprocess import ImageSpec, VideoSpec, preprocess_image, preprocess_video
from rvl_edge.preprocess.video import sample_indices

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
SPEC = VideoSpec(size=32, mean=MEAN, std=STD, num_frames=4)


def clip(count: int, height: int = 40, width: int = 50) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def test_frames_are_the_pictures_at_the_sampled_indices() -> None:
    frames = clip(9)
    got = preprocess_video(frames, SPEC)
    still = ImageSpec(size=32, mean=MEAN, std=STD)
    want = np.stack([preprocess_image(frames[i], still) for i in (0, 2, 5, 8)], axis=1)
    np.testing.assert_array_equal(got, want)
    assert got.flags.c_contiguous


def test_equals_the_order_of_languagebind_normalise_then_resize() -> None:
    torch = pytest.importorskip("torch", reason="torch's own interpolation is the oracle")
    frames = clip(4, 96, 128)
    picture = torch.from_numpy(frames).permute(0, 3, 1, 2).double() / 255
    picture = (picture - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    picture = torch.nn.functional.interpolate(picture, (48, 64), mode="bilinear", align_corners=False)
    want = picture[..., 8:56].permute(1, 0, 2, 3).numpy()
    numbers = SPEC.model_copy(update={"size": 48, "interpolation": "bilinear", "antialias": False})
    np.testing.assert_allclose(preprocess_video(frames, numbers), want, rtol=0, atol=5e-5)


def test_sequence_and_array_agree() -> None:
    frames = clip(6)
    np.testing.assert_array_equal(preprocess_video(list(frames), SPEC), preprocess_video(frames, SPEC))


def test_too_few_frames_are_repeated_evenly() -> None:
    assert sample_indices(1, 4) == [0, 0, 0, 0]
    assert sample_indices(2, 4) == [0, 0, 0, 1]
    assert preprocess_video(clip(1), SPEC).shape == (3, 4, 32, 32)


@given(
    count=st.integers(1, 400),
    wanted=st.integers(1, 64),
    start=st.floats(0, 2e9),  # seconds since 1970 leave a float64 0.2 microseconds
    rate=st.floats(0.5, 240),
)
def test_even_stamps_sample_evenly(count: int, wanted: int, start: float, rate: float) -> None:
    stamps = start + np.arange(count) / rate
    assert sample_indices(count, wanted, stamps) == [
        i * (count - 1) // max(wanted - 1, 1) for i in range(wanted)
    ]


@given(count=st.integers(1, 400), wanted=st.integers(1, 64))
def test_without_stamps_sampling_is_languagebinds(count: int, wanted: int) -> None:
    assert sample_indices(count, wanted) == np.linspace(0, count - 1, wanted, dtype=int).tolist()


@given(
    gaps=st.lists(st.floats(0.01, 1), min_size=1, max_size=60),
    wanted=st.integers(2, 64),
)
def test_stamped_sampling_takes_the_newest_frame_at_each_instant(gaps: list[float], wanted: int) -> None:
    stamps = np.cumsum(gaps)
    for instant, index in zip(
        np.linspace(stamps[0], stamps[-1], wanted), sample_indices(len(stamps), wanted, stamps), strict=True
    ):
        assert stamps[index] <= instant + 1e-3
        assert index + 1 == len(stamps) or stamps[index + 1] > instant - 1e-3


def test_stamps_may_be_nearer_than_floats_divide() -> None:
    assert sample_indices(4, 3, [0.0, 2.2e-311, 0.5, 1.0]) == [0, 2, 3]


def test_dropped_frames_do_not_shift_the_sampling() -> None:
    stamps = np.delete(np.arange(30) / 10, slice(5, 15))
    assert stamps[sample_indices(20, 4, stamps)].tolist() == pytest.approx([0, 0.4, 1.9, 2.9])


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([], TooShort),
        (np.zeros((0, 9, 9, 3), np.uint8), TooShort),
        (np.zeros((9, 9, 3), np.uint8), BadShape),
        ([np.zeros((9, 9, 3), np.uint8), np.zeros((9, 8, 3), np.uint8)], BadShape),
        ([np.zeros((9, 9, 2), np.uint8)], BadShape),
        (np.zeros((2, 9, 9, 3), np.float32), BadDtype),
        (None, BadDtype),
        (iter(clip(4)), BadDtype),
    ],
)
def test_unreadable_clips_are_refused(frames: object, error: type[InputError]) -> None:
    with pytest.raises(error):
        preprocess_video(frames, SPEC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (None, BadDtype),
        (np.zeros((40, 50, 3), np.float32), BadDtype),
        (np.zeros(9, np.uint8), BadShape),
        (np.zeros((40, 49, 3), np.uint8), BadShape),
    ],
)
def test_a_frame_that_is_not_sampled_is_refused_too(frame: object, error: type[InputError]) -> None:
    frames = [*clip(16)]
    assert 1 not in sample_indices(16, SPEC.num_frames)
    frames[1] = frame  # type: ignore[call-overload]  # what is no frame
    with pytest.raises(error):
        preprocess_video(frames, SPEC)


@pytest.mark.parametrize(
    ("stamps", "error"),
    [
        ([0.0], BadShape),
        ([0.0, 0.1, 0.1], InputError),
        ([0.0, 0.2, 0.1], InputError),
        ([0.0, float("nan"), 0.2], NonFinite),
        (["0.0", "now", "0.2"], BadDtype),
    ],
)
def test_unusable_stamps_are_refused(stamps: list[float], error: type[InputError]) -> None:
    with pytest.raises(error):
        preprocess_video(clip(3), SPEC, stamps=stamps)
