# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rvl_edge.errors import BadDtype, BadEncoding, BadShape, InputError, NonFinite
from rvl_edge.preprocess import DepthSpec, DepthUnit, preprocess_depth

IDENTITY = {"size": 32, "mean": (0, 0, 0), "std": (1, 1, 1)}


def spec(**changes: Any) -> DepthSpec:
    return DepthSpec.model_validate({**IDENTITY, **changes})


def room(height: int = 32, width: int = 32) -> npt.NDArray[np.float64]:
    """A smooth scene from 0.5 to 12 metres, so partly beyond the range."""
    return np.add.outer(np.linspace(0.25, 6, height), np.linspace(0.25, 6, width))


@pytest.mark.parametrize(
    ("field", "unit"),
    [
        (room(), None),
        (room().astype(np.float32), DepthUnit.METRES),
        (room().astype(">f4")[..., None], "metres"),
        (room() * 1000, "millimetres"),
        (np.rint(room() * 1000).astype(np.uint16), None),
        (np.rint(room() * 1000).astype(">u2"), "millimetres"),
    ],
)
def test_distance_is_the_same_in_every_unit_and_type(field: npt.NDArray[Any], unit: str | None) -> None:
    for channel in preprocess_depth(field, spec(), unit=unit):
        np.testing.assert_allclose(channel, np.clip(room(), 0.01, 10) / 10, rtol=0, atol=6e-5)


@pytest.mark.parametrize(
    ("value", "metres"),
    [
        (0, 0.5),
        (-0.0, 0.5),
        (-3, 0.5),
        (np.nan, 0.5),
        (-np.inf, 0.5),
        (1e-45, 0.5),
        (np.inf, 4),
        (1e300, 4),
        (4.5, 4),
    ],
)
def test_what_was_not_measured_is_near_and_what_is_out_of_reach_is_far(value: float, metres: float) -> None:
    field = np.full((32, 32), 2.0)
    holes = np.random.default_rng(0).random((32, 32)) < 0.4
    field[holes] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = preprocess_depth(field, spec(min_depth=0.5, max_depth=4.0))
    np.testing.assert_allclose(got[0], np.where(holes, metres, 2.0) / 4, rtol=0, atol=1e-6)


def test_zero_millimetres_are_no_measurement() -> None:
    field = np.full((32, 32), 5000, np.uint16)
    field[:, ::2] = 0
    got = preprocess_depth(field, spec())
    np.testing.assert_allclose(got[1, :, ::2], 0.001, atol=1e-6)
    np.testing.assert_allclose(got[1, :, 1::2], 0.5, atol=1e-6)


@pytest.mark.parametrize("nothing", [0.0, np.nan, -np.inf, -1.0])
def test_too_few_measured_pixels_are_refused_at_the_stated_fraction(nothing: float) -> None:
    field = np.full((10, 10), nothing)
    field.flat[:20] = 1.5
    assert preprocess_depth(field, spec(min_valid_fraction=0.2)).shape == (3, 32, 32)
    field.flat[0] = nothing
    with pytest.raises(NonFinite, match=r"got 19\.0%, expected at least 20\.0%"):
        preprocess_depth(field, spec(min_valid_fraction=0.2))
    with pytest.raises(NonFinite):
        preprocess_depth(np.full((10, 10), nothing), spec(min_valid_fraction=0))


def test_nothing_within_reach_is_a_measurement() -> None:
    np.testing.assert_allclose(preprocess_depth(np.full((40, 40), np.inf), spec()), 1, atol=1e-6)


def test_the_picture_is_left_as_it_was() -> None:
    field = room().astype(np.float32)
    field[3:5] = np.nan
    before = field.copy()
    field.setflags(write=False)
    preprocess_depth(field, spec())
    np.testing.assert_array_equal(field, before)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_strides_do_not_matter(dtype: type) -> None:
    field = (room(60, 80) * 1000).astype(dtype)
    for view in (field[::-1], field[:, ::-1], field[::2, 1::3], np.asfortranarray(field), field.T):
        np.testing.assert_array_equal(
            preprocess_depth(view, spec(), unit="millimetres"),
            preprocess_depth(view.copy(order="C"), spec(), unit="millimetres"),
        )


@pytest.mark.parametrize(
    ("field", "unit", "error", "message"),
    [
        (np.ones((9, 9), np.uint8), None, BadDtype, "rendering"),
        (np.ones((9, 9), np.int16), None, BadDtype, "disparities"),
        (np.ones((9, 9), np.int32), None, BadDtype, "got int32"),
        (np.ones((9, 9), np.float16), None, BadDtype, "got float16"),
        (np.ones((9, 9), object), None, BadDtype, "got object"),
        ([[1.0]], None, BadDtype, "got list"),
        (np.ones((9, 9, 3), np.uint16), None, BadShape, "one channel"),
        (np.ones((9, 9, 2)), None, BadShape, "one channel"),
        (np.ones((0, 9)), None, BadShape, "at least one pixel"),
        (np.ones(9), None, BadShape, r"\(9,\)"),
        (np.ones(()), None, BadShape, r"\(\)"),
        (np.ones((9, 9)), "feet", BadEncoding, "one of millimetres, metres"),
        (np.ones((9, 9)), "kelvin", BadEncoding, "unknown depth unit"),
    ],
)
def test_unreadable_pictures_are_refused(
    field: Any, unit: str | None, error: type[InputError], message: str
) -> None:
    with pytest.raises(error, match=message):
        preprocess_depth(field, spec(), unit=unit)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (-0.1, 1.0), (0.0, 0.0)])
def test_range_must_rise_from_zero_or_more(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=r"min_depth|max_depth"):
        spec(min_depth=low, max_depth=high)
