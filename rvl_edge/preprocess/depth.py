# SPDX-License-Identifier: Apache-2.0
"""Depth picture -> model input."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadDtype, BadEncoding, BadShape, NonFinite
from rvl_edge.preprocess.image import normalize
from rvl_edge.preprocess.resample import resample_centre
from rvl_edge.preprocess.spec import DepthSpec
from rvl_edge.types import FloatArray


class DepthUnit(str, Enum):
    """What the numbers of a depth picture mean (ROS REP 118 names the first two)."""

    MILLIMETRES = "millimetres"
    METRES = "metres"


_DTYPES = (np.uint16, np.float32, np.float64)
_TO_METRES = {DepthUnit.MILLIMETRES: 0.001, DepthUnit.METRES: 1.0}


def preprocess_depth(
    depth: npt.NDArray[Any], spec: DepthSpec, *, unit: DepthUnit | str | None = None
) -> FloatArray:
    """Cut a depth picture to the spec's range, then resize, crop and normalise it.

    Args:
        depth: (H, W) or (H, W, 1), uint16, float32 or float64 of either byte order, any strides. 0, negative
            values, NaN and infinity mean that nothing was measured there.
        spec: range, size, kernel and statistics.
        unit: what the numbers mean. Left out, uint16 is millimetres and floats are metres (REP 118).

    Returns:
        (3, size, size) float32, C-contiguous, the three channels alike but for their statistics.

    Raises:
        BadShape: another number of axes or channels, or no pixel.
        BadDtype: a type that no depth camera sends.
        BadEncoding: an unknown unit.
        NonFinite: too few measured pixels.
    """
    field = _single_channel(depth)
    with np.errstate(over="ignore", invalid="ignore"):
        metres = field.astype(np.float32) * np.float32(_TO_METRES[_unit(field, unit)])
        measured = np.isfinite(metres) & (metres > 0)
    fraction = np.count_nonzero(measured) / measured.size
    if fraction < spec.min_valid_fraction or fraction == 0:
        raise NonFinite(
            "too few measured pixels in a depth picture",
            got=f"{fraction:.1%}",
            expected=f"at least {spec.min_valid_fraction:.1%}",
            fix="check that the camera's projector is on, that nothing covers it, and the unit",
        )
    metres[~measured] = spec.min_depth
    grey = np.clip(metres, spec.min_depth, spec.max_depth, out=metres)
    grey /= np.float32(spec.max_depth)
    return normalize(resample_centre(grey[..., None], spec), spec, full_scale=1)


def _single_channel(depth: npt.NDArray[Any]) -> npt.NDArray[Any]:
    dtype = getattr(depth, "dtype", None)
    if dtype is None or dtype.newbyteorder("=") not in _DTYPES:
        raise BadDtype(
            "a depth picture of this type cannot be read",
            got=type(depth).__name__ if dtype is None else dtype,
            expected="an array of uint16 (millimetres), float32 or float64 (metres)",
        )
    field = depth[..., 0] if depth.ndim == 3 and depth.shape[2] == 1 else depth
    if field.ndim != 2 or field.size == 0:
        raise BadShape(
            "a depth picture of this shape cannot be read",
            got=depth.shape,
            expected="(H, W) or (H, W, 1) with at least one pixel",
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
