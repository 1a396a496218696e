# SPDX-License-Identifier: Apache-2.0
"""Depth picture -> model input."""

from __future__ import annotations

from enum import Enum
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadDtype, BadEncoding, BadShape, NonFinite
from rvl_edge.preprocess.image import normalize
from rvl_edge.preprocess.resample import resample_centre
from rvl_edge.preprocess.spec import DepthSpec
from rvl_edge.types import FloatArray


class DepthUnit(str, Enum):
    """What the numbers of a depth picture mean."""

    MILLIMETRES = "millimetres"
    METRES = "metres"


_DTYPES = (np.uint16, np.float32, np.float64)
_PER_METRE = {DepthUnit.MILLIMETRES: 1000.0, DepthUnit.METRES: 1.0}


def preprocess_depth(
    depth: npt.NDArray[Any], spec: DepthSpec, *, unit: DepthUnit | str | None = None
) -> FloatArray:
    """Cut a depth picture to the spec's range, then resize, crop and normalise it.

    Numbers are read as ROS does (REP 118, REP 117): 0, negative values, -inf (too close) and NaN are no
    measurement and become `min_depth`, as zeros do in LanguageBind; +inf says that nothing is within reach,
    and becomes `max_depth`.

    Args:
        depth: (H, W) or (H, W, 1), distance along the optical axis; uint16, float32 or float64 of either byte
            order, any strides.
        spec: range, size, kernel and statistics.
        unit: what the numbers mean. Left out, uint16 is millimetres and floats are metres (REP 118). Cameras
            that count otherwise are divided first, such as `depth / 5000.0` for TUM RGB-D.

    Returns:
        (3, size, size) float32, C-contiguous, the three channels alike but for their statistics.

    Raises:
        BadShape: another number of axes or channels, or no pixel.
        BadDtype: a type that holds no distances, such as 8-bit renderings and int16 disparities.
        BadEncoding: an unknown unit.
        NonFinite: too few measured pixels.
    """
    field = _single_channel(depth)
    per_metre = _PER_METRE[_unit(field, unit)]
    _require_measurements(field, spec)
    # The range is cut in the picture's own unit, so that millimetres stay exact until they are normalised.
    low, high = np.float32(spec.min_depth * per_metre), np.float32(spec.max_depth * per_metre)
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinity
        near = field.astype(np.float32, order="C")
    cv2.patchNaNs(near, float(low))
    np.clip(near, low, high, out=near)
    return normalize(resample_centre(near[..., None], spec), spec, full_scale=float(high))


def _require_measurements(field: npt.NDArray[Any], spec: DepthSpec) -> None:
    measured = np.count_nonzero(field if field.dtype.kind == "u" else field > 0)
    fraction = measured / field.size
    if measured == 0 or fraction < spec.min_valid_fraction:
        raise NonFinite(
            "too few measured pixels in a depth picture",
            got=f"{fraction:.1%}",
            expected=f"at least {spec.min_valid_fraction:.1%}",
            fix="check that the camera's projector is on and that nothing covers or is too close to it",
        )


def _single_channel(depth: npt.NDArray[Any]) -> npt.NDArray[Any]:
    dtype = getattr(depth, "dtype", None)
    if dtype is None or dtype.newbyteorder("=") not in _DTYPES:
        raise BadDtype(
            "a depth picture of this type cannot be read",
            got=type(depth).__name__ if dtype is None else dtype,
            expected="an array of uint16 (millimetres), float32 or float64 (metres)",
            fix="pass distances: 8 bits are a rendering of them, and int16 is how OpenCV stores disparities",
        )
    field = depth[..., 0] if depth.ndim == 3 and depth.shape[2] == 1 else depth
    if field.ndim != 2 or field.size == 0:
        raise BadShape(
            "a depth picture of this shape cannot be read",
            got=depth.shape,
            expected="(H, W) or (H, W, 1) with at least one pixel",
            fix="pass the camera's one channel, not a coloured rendering",
        )
    return field


def _unit(field: npt.NDArray[Any], unit: DepthUnit | str | None) -> DepthUnit:
    if unit is None:
        return DepthUnit.MILLIMETRES if field.dtype.kind == "u" else DepthUnit.METRES
    try:
        return DepthUnit(unit)
    except ValueError:
        known = ", ".join(DepthUnit)
        raise BadEncoding("unknown depth unit", got=unit, expected=f"one of {known}") from None
