# SPDX-License-Identifier: Apache-2.0
"""Whatever a sensor sends, preprocessing returns a right input or raises InputError: 12,000 samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from rvl_edge.errors import InputError
from rvl_edge.preprocess import (
    AudioSpec,
    DepthSpec,
    DepthUnit,
    ImageSpec,
    ThermalSpec,
    ThermalUnit,
    VideoSpec,
    preprocess_audio,
    preprocess_depth,
    preprocess_image,
    preprocess_thermal,
    preprocess_video,
)
from rvl_edge.preprocess.spec import FixedRange, PercentileRange

pytestmark = pytest.mark.timeout(1800)  # thousands of samples on a busy machine

DTYPES = ["u1", "<u2", ">u2", "<i2", ">i2", "<i4", "<f4", ">f4", "<f8", "f2", "i1", "?", "<c8", "O"]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 255.0, 65535.0, 1e-45, 1e30, -1e38, 1e300, np.nan, np.inf, -np.inf]


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))


def mostly(usual: st.SearchStrategy[Any], strange: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda n: strange if n == 9 else usual)


shapes_of_anything = st.lists(st.integers(0, 9), max_size=4).map(tuple)


@st.composite
def arrays(
    draw: st.DrawFn, shapes: st.SearchStrategy[tuple[int, ...]], likely: list[str]
) -> npt.NDArray[Any]:
    """Arrays mostly of a likely type, of noise and special values, with all kinds of strides."""
    shape = draw(shapes)
    dtype = np.dtype(draw(mostly(st.sampled_from(likely), st.sampled_from(DTYPES))))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = random.normal(0, draw(st.sampled_from([1e-3, 1.0, 300.0, 1e5])), shape)
    share = draw(mostly(st.just(0.0), st.sampled_from([1e-3, 0.1, 1.0])))
    values = np.where(random.random(shape) < share, random.choice(SPECIAL, shape), values)
    if draw(mostly(st.just(False), st.just(True))):
        values = np.full(shape, draw(st.sampled_from(SPECIAL)))
    with np.errstate(all="ignore"):
        array = np.asarray(values).astype(dtype)
    steps = [draw(st.sampled_from([1, -1, 2])) for _ in range(min(array.ndim, 2))]
    return array[tuple(slice(None, None, step) for step in steps)]


def pictures(likely: list[str], channels: list[int]) -> st.SearchStrategy[npt.NDArray[Any]]:
    side = st.integers(1, 40) | st.sampled_from([1, 2, 500])
    usual = st.tuples(side, side) | st.tuples(side, side, st.sampled_from(channels))
    return arrays(mostly(usual, shapes_of_anything), likely)


@st.composite
def picture_numbers(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "size": draw(st.integers(8, 40)),
        "interpolation": draw(st.sampled_from(["bilinear", "bicubic"])),
        "antialias": draw(st.booleans()),
        "mean": (0, 0, 0),
        "std": (1, 1, 1),
    }


def check(
    run: Callable[[], npt.NDArray[np.float32]],
    shape: tuple[int, ...],
    low: float = -0.6,  # bicubic overshoots [0, 1]
    high: float = 1.6,
) -> None:
    try:
        got = run()
    except InputError as error:
        event(type(error).__name__)
        return
    event("accepted")
    assert got.shape == shape
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert got.min() >= low  # NaN fails here as well
    assert got.max() <= high


@examples(3000)
@given(pictures(["u1"], [1, 3, 4]), picture_numbers())
def test_images(rgb: npt.NDArray[Any], numbers: dict[str, Any]) -> None:
    spec = ImageSpec.model_validate(numbers)
    check(lambda: preprocess_image(rgb, spec), (3, spec.size, spec.size))


ranges = st.one_of(
    st.sampled_from([PercentileRange(), PercentileRange(low=0, high=100)]),
    st.builds(
        lambda low, span, unit: FixedRange(low=low, high=low + span, unit=unit),
        st.floats(-1e6, 1e6),
        st.floats(1e-3, 1e6),
        st.sampled_from(["kelvin", "counts"]),
    ),
)


@st.composite
def thermal_specs(draw: st.DrawFn) -> ThermalSpec:
    return ThermalSpec.model_validate(
        {
            **draw(picture_numbers()),
            "range": draw(ranges),
            "min_valid_fraction": draw(st.sampled_from([0.0, 0.5, 1.0])),
            "invalid_value": draw(st.none() | st.sampled_from([0.0, 65535.0])),
        }
    )


@examples(3500)
@given(
    field=pictures(["u1", "<u2", ">u2", "<f4", "<f8"], [1, 3]),
    spec=thermal_specs(),
    unit=st.none() | st.sampled_from([*ThermalUnit, "fahrenheit"]),
)
def test_thermal_pictures(field: npt.NDArray[Any], spec: ThermalSpec, unit: ThermalUnit | str | None) -> None:
    check(lambda: preprocess_thermal(field, spec, unit=unit), (3, spec.size, spec.size))


@st.composite
def depth_specs(draw: st.DrawFn) -> DepthSpec:
    low = draw(st.sampled_from([0.0, 0.01, 0.5]))
    return DepthSpec.model_validate(
        {
            **draw(picture_numbers()),
            "min_depth": low,
            "max_depth": low + draw(st.floats(1e-3, 1e6)),
            "min_valid_fraction": draw(st.sampled_from([0.0, 0.5, 1.0])),
        }
    )


@examples(2000)
@given(
    field=pictures(["<u2", ">u2", "<f4", ">f4", "<f8"], [1, 1, 3]),
    spec=depth_specs(),
    unit=st.none() | st.sampled_from([*DepthUnit, "feet"]),
)
def test_depth_pictures(field: npt.NDArray[Any], spec: DepthSpec, unit: DepthUnit | str | None) -> None:
    check(lambda: preprocess_depth(field, spec, unit=unit), (3, spec.size, spec.size))


lengths, channels, sides = st.integers(0, 6000), st.integers(1, 3), st.integers(1, 20)


@examples(2500)
@given(
    pcm=arrays(
        mostly(
            st.tuples(lengths) | st.tuples(lengths, channels),
            st.tuples(channels, lengths) | shapes_of_anything,
        ),
        ["<f4", "<f8", "<i2", ">i2", "<i4", "u1"],
    ),
    rate=mostly(st.sampled_from([8000, 16000, 44100, 48000]), st.floats()),
    target_length=st.integers(8, 12),
)
def test_sounds(pcm: npt.NDArray[Any], rate: float, target_length: int) -> None:
    spec = AudioSpec(num_mel_bins=16, target_length=target_length, mean=0, std=1)
    check(lambda: preprocess_audio(pcm, spec, sample_rate=rate), (3, 16, target_length), -16, 25)


@examples(1000)
@given(
    frames=mostly(
        arrays(st.tuples(st.integers(1, 12), sides, sides, st.sampled_from([1, 3, 4])), ["u1"]),
        st.lists(pictures(["u1"], [3]), max_size=3),
    ),
    numbers=picture_numbers(),
    num_frames=st.integers(1, 10),
    stamps=st.none()
    | mostly(
        st.lists(st.floats(0, 1e9), min_size=12, max_size=12, unique=True).map(sorted),
        st.lists(st.floats(), max_size=12),
    ),
)
def test_clips(frames: Any, numbers: dict[str, Any], num_frames: int, stamps: list[float] | None) -> None:
    spec = VideoSpec.model_validate({**numbers, "num_frames": num_frames})
    fitting = None if stamps is None else stamps[: len(frames)]
    check(lambda: preprocess_video(frames, spec, stamps=fitting), (3, num_frames, spec.size, spec.size))
