# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rvl_edge.errors import BadDtype, BadEncoding, BadShape, InputError, NonFinite
from rvl_edge.preprocess import ImageSpec, ThermalSpec, ThermalUnit, preprocess_image, preprocess_thermal
from rvl_edge.preprocess.spec import FixedRange, PercentileRange

IDENTITY = {"size": 32, "mean": (0, 0, 0), "std": (1, 1, 1)}
ROOM = FixedRange(low=280.0, high=320.0)


def spec(**changes: Any) -> ThermalSpec:
    return ThermalSpec.model_validate({**IDENTITY, **changes})


def celsius(height: int = 32, width: int = 32) -> npt.NDArray[np.float64]:
    """A smooth scene from 0 to 60 degrees, partly outside the range of the room."""
    return np.add.outer(np.linspace(0, 30, height), np.linspace(0, 30, width))


def test_gained_picture_equals_a_grey_image() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    np.testing.assert_array_equal(
        preprocess_thermal(grey, spec()), preprocess_image(grey, ImageSpec.model_validate(IDENTITY))
    )


@pytest.mark.parametrize(
    ("field", "unit"),
    [
        (celsius(), "celsius"),
        (celsius().astype(np.float32), ThermalUnit.CELSIUS),
        (celsius() + 273.15, "kelvin"),
        ((celsius() + 273.15) * 100, "centikelvin"),
        (np.rint((celsius() + 273.15) * 100).astype(np.uint16), "centikelvin"),
        (np.rint((celsius() + 273.15) * 100).astype(">u2"), "centikelvin"),
    ],
)
def test_fixed_range_is_the_same_temperature_in_every_unit(field: npt.NDArray[Any], unit: str) -> None:
    got = preprocess_thermal(field, spec(range=ROOM), unit=unit)
    want = np.clip((celsius() + 273.15 - 280) / 40, 0, 1)
    for channel in got:
        np.testing.assert_allclose(channel, want, rtol=0, atol=2e-4)


def test_fixed_range_in_counts() -> None:
    counts = np.linspace(7000, 9000, 32 * 32).reshape(32, 32).astype(np.uint16)
    got = preprocess_thermal(counts, spec(range=FixedRange(low=7500, high=8500, unit="counts")))
    np.testing.assert_allclose(got[1], np.clip((counts - 7500.0) / 1000, 0, 1), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32, np.float64, ">u2", ">f4", "<f8"])
def test_percentiles_are_the_pictures_own(dtype: str) -> None:
    counts = np.random.default_rng(1).permutation(1024).reshape(32, 32).astype(dtype)
    got = preprocess_thermal(counts, spec(range=PercentileRange(low=10, high=90)))
    want = np.clip((counts.astype(np.float64) - 102.3) / (920.7 - 102.3), 0, 1)
    np.testing.assert_allclose(got[0], want, atol=1e-6)


def test_percentile_range_does_not_depend_on_unit_gain_or_offset() -> None:
    field = np.random.default_rng(2).normal(20, 4, (48, 64))
    want = preprocess_thermal(field, spec(), unit="celsius")
    np.testing.assert_allclose(
        preprocess_thermal(field * 100 + 27315, spec(), unit="centikelvin"), want, atol=1e-5
    )
    np.testing.assert_allclose(preprocess_thermal(field * 7 - 3, spec()), want, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38, -999.0])
def test_invalid_pixels_become_the_median_and_do_not_touch_the_range(bad: float) -> None:
    field = np.random.default_rng(3).normal(300, 5, (32, 32)).astype(np.float32)
    holes = np.random.default_rng(4).random((32, 32)) < 0.4
    inside = field[~holes].astype(np.float64)
    field[holes] = bad
    low, high = np.percentile(inside, (1, 99))
    got = preprocess_thermal(field, spec(invalid_value=-999))
    np.testing.assert_allclose(got[0][holes], (np.median(inside) - low) / (high - low), atol=1e-5)
    np.testing.assert_allclose(got[0][~holes], np.clip((inside - low) / (high - low), 0, 1), atol=1e-5)


def test_too_few_valid_pixels_are_refused_at_the_stated_fraction() -> None:
    field = np.full((10, 10), 300.0)
    field.flat[:50] = np.nan
    assert preprocess_thermal(field, spec(min_valid_fraction=0.5)).shape == (3, 32, 32)
    field.flat[50] = np.nan
    with pytest.raises(NonFinite, match=r"got 49\.0%, expected at least 50\.0%"):
        preprocess_thermal(field, spec(min_valid_fraction=0.5))
    with pytest.raises(NonFinite):
        preprocess_thermal(np.full((10, 10), np.nan), spec(min_valid_fraction=0))


@pytest.mark.parametrize("value", [0, 1, 30000, 65535])
def test_picture_without_contrast_is_mid_grey(value: int) -> None:
    np.testing.assert_allclose(
        preprocess_thermal(np.full((40, 40), value, np.uint16), spec()), 0.5, atol=1e-6
    )


def test_hot_spot_smaller_than_the_percentile_is_kept() -> None:
    counts = np.full((32, 32), 8000, np.uint16)
    counts[4, 5] = 8100
    got = preprocess_thermal(counts, spec())
    assert got[0, 4, 5] == pytest.approx(1)
    assert got[0].sum() == pytest.approx(1)


@pytest.mark.parametrize("extremes", [(1e-45, 2e-45), (-9e29, 9e29), (1.0, np.nextafter(np.float32(1), 2))])
def test_extreme_spans_stay_in_range(extremes: tuple[float, float]) -> None:
    field = np.resize(np.array(extremes, np.float32), (16, 16))
    got = preprocess_thermal(field, spec(interpolation="bilinear"))
    assert np.isfinite(got).all()
    assert got.min() >= -1e-6
    assert got.max() <= 1 + 1e-6


def test_three_equal_channels_are_one_and_a_palette_is_refused() -> None:
    field = np.random.default_rng(5).integers(7000, 9000, (32, 32), np.uint16)
    grey = np.repeat(field[..., None], 3, axis=2)
    np.testing.assert_array_equal(preprocess_thermal(grey, spec()), preprocess_thermal(field, spec()))
    grey[0, 0, 2] += 1
    with pytest.raises(BadEncoding, match="white-hot"):
        preprocess_thermal(grey, spec())


def test_equal_channels_with_holes_are_still_equal() -> None:
    field = np.random.default_rng(6).normal(300, 5, (32, 32, 1))
    field[3, 3] = np.nan
    preprocess_thermal(np.repeat(field, 3, axis=2), spec())


@pytest.mark.parametrize(
    ("field", "changes", "unit", "error"),
    [
        (np.zeros((9, 9), np.uint32), {}, None, BadDtype),
        (np.zeros((9, 9), np.complex64), {}, None, BadDtype),
        (np.zeros((9, 9), object), {}, None, BadDtype),
        ([[1.0]], {}, None, BadDtype),
        (np.zeros((9, 9), np.uint16), {}, "agc8", BadDtype),
        (np.zeros((9, 9), np.uint16), {}, "fahrenheit", BadEncoding),
        (np.zeros((9, 9), np.uint16), {"range": ROOM}, None, BadEncoding),
        (np.zeros((9, 9), np.float32), {"range": ROOM}, "counts", BadEncoding),
        (np.zeros((9, 9)), {"range": FixedRange(low=0, high=1, unit="counts")}, "celsius", BadEncoding),
        (np.zeros((0, 9)), {}, None, BadShape),
        (np.zeros((9, 9, 2)), {}, None, BadShape),
        (np.zeros(9), {}, None, BadShape),
        (np.zeros(()), {}, None, BadShape),
    ],
)
def test_unreadable_pictures_are_refused(
    field: Any, changes: dict[str, Any], unit: str | None, error: type[InputError]
) -> None:
    with pytest.raises(error):
        preprocess_thermal(field, spec(**changes), unit=unit)


@pytest.mark.parametrize("kind", [FixedRange, PercentileRange])
def test_range_must_rise(kind: type) -> None:
    with pytest.raises(ValueError, match="low must be less than high"):
        kind(low=50, high=50)
