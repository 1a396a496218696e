# SPDX-License-Identifier: Apache-2.0
"""Colour picture -> model input."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadDtype, BadShape
from rvl_edge.preprocess.resample import resample_centre
from rvl_edge.preprocess.spec import ImageSpec, PictureSpec
from rvl_edge.types import FloatArray


def preprocess_image(rgb: npt.NDArray[np.uint8], spec: ImageSpec) -> FloatArray:
    """Resize, crop, scale to [0, 1] and normalise one picture.

    Args:
        rgb: (H, W, 3) RGB, (H, W, 4) RGBA, whose alpha is dropped without blending, or (H, W) or (H, W, 1)
            grey, uint8, any strides, at least one pixel.
        spec: size, kernel and statistics.

    Returns:
        (3, size, size) float32, C-contiguous.

    Raises:
        BadShape: another number of axes or channels, or no pixel.
        BadDtype: not uint8.
    """
    return normalize(resample_centre(as_picture(rgb), spec), spec, full_scale=255)


def as_picture(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Check one uint8 picture and view it as (H, W, 1) or (H, W, 3)."""
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8:
        raise BadDtype(
            "a picture of this type cannot be read",
            got=getattr(rgb, "dtype", type(rgb).__name__),
            expected="a uint8 array",
            fix="scale the picture to 0..255 and convert it with .astype(np.uint8)",
        )
    picture = rgb[..., None] if rgb.ndim == 2 else rgb
    if picture.ndim != 3 or picture.shape[2] not in (1, 3, 4) or picture.size == 0:
        raise BadShape(
            "a picture of this shape cannot be read",
            got=rgb.shape,
            expected="(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) with at least one pixel",
            fix="put the channels last and pass one picture at a time",
        )
    return picture[..., :3]


def normalize(planes: FloatArray, spec: PictureSpec, *, full_scale: float) -> FloatArray:
    """Map planes (1 or 3, S, S) in 0..full_scale to (3, S, S) of (x - mean) / std, grey repeated."""
    scale = 1 / (full_scale * np.asarray(spec.std))
    shift = -np.asarray(spec.mean) / np.asarray(spec.std)
    normal = planes * scale.astype(np.float32)[:, None, None]
    normal += shift.astype(np.float32)[:, None, None]
    return normal
