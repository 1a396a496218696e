# SPDX-License-Identifier: Apache-2.0
"""What uncooled thermal cameras do to their pictures.

Strengths are parts of the picture's span: 255 of gained 8-bit pictures, the distance between the 1st and
99th percentile of counts and temperatures. A 50 mK camera that looks at a scene of 5 K has noise of 0.01.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadShape
from rvl_edge.offline.evaluation.corruptions.blur import gaussian_blur
from rvl_edge.types import FloatArray

Thermal = npt.NDArray[Any]
OnThermal = Callable[[Thermal, int, np.random.Generator], Thermal]

_NOISE = (0.01, 0.02, 0.04, 0.07, 0.12)
_BANDING = (0.01, 0.02, 0.04, 0.07, 0.12)
_DRIFT = (0.05, 0.1, 0.2, 0.3, 0.45)
_DEAD_PIXELS = (0.002, 0.005, 0.01, 0.03, 0.06)
_RANGE_JUMP = (0.1, 0.2, 0.35, 0.5, 0.7)
_BLUR = (0.008, 0.013, 0.02, 0.03, 0.045)


def noise(field: FloatArray, severity: int, random: np.random.Generator) -> FloatArray:
    """Noise-equivalent temperature difference: normal noise of this part of the span."""
    sigma = _NOISE[severity - 1]
    return np.asarray(field + sigma * random.standard_normal(field.shape, np.float32), np.float32)


def banding(field: FloatArray, severity: int, random: np.random.Generator) -> FloatArray:
    """Fixed-pattern noise of the read-out: an offset for each column, and half as much for each row."""
    rows, columns = (random.standard_normal((size, 1), np.float32) for size in field.shape)
    return np.asarray(field + _BANDING[severity - 1] * (columns.T + rows / 2), np.float32)


def drift(field: FloatArray, severity: int, random: np.random.Generator) -> FloatArray:
    """Warmth of the lens and housing since the last shutter: smooth shading across the picture.

    The strength is the difference between its darkest and brightest place.
    """
    height, width = field.shape
    shading = cv2.resize(random.random((3, 3), np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    shading = (shading - shading.min()) / (shading.max() - shading.min()) - 0.5
    return np.asarray(field + _DRIFT[severity - 1] * shading, np.float32)


def dead_pixels(field: FloatArray, severity: int, random: np.random.Generator) -> FloatArray:
    """A part of the pixels that always say cold, or always hot."""
    hit, hot = random.random((2, *field.shape), np.float32)
    return np.where(hit < _DEAD_PIXELS[severity - 1], np.float32(hot < 0.5), field)


def range_jump(field: FloatArray, severity: int, random: np.random.Generator) -> FloatArray:
    """Gain control after a hot or cold thing came into view: this part of the contrast is lost.

    The scene is left at either end of the span. A spec with a percentile range undoes it for counts.
    """
    left = 1 - _RANGE_JUMP[severity - 1]
    return np.asarray(field * left + (1 - left) * (random.random() < 0.5), np.float32)


def blur(field: FloatArray, severity: int, random: np.random.Generator) -> FloatArray:
    """A lens out of focus: a Gaussian whose sigma is this part of the short side."""
    del random
    return gaussian_blur(field, _BLUR[severity - 1] * min(field.shape), 4.0, cv2.BORDER_REPLICATE)


def _on_counts(effect: OnThermal) -> OnThermal:
    """An effect on the span [0, 1] as one on what the camera sends; pixels without a value stay so."""

    def on_counts(picture: Thermal, severity: int, random: np.random.Generator) -> Thermal:
        if picture.ndim != 2 or picture.size == 0:
            raise BadShape("one channel is corrupted at a time", got=picture.shape, expected="(H, W)")
        values = picture.astype(np.float64)
        invalid = ~np.isfinite(values)
        low, high = (0.0, 255.0) if picture.dtype == np.uint8 else np.percentile(values[~invalid], (1, 99))
        span = high - low or 1.0
        values[invalid] = np.median(values[~invalid])
        changed = effect(((values - low) / span).astype(np.float32), severity, random) * span + low
        if picture.dtype.kind in "ui":
            limits = np.iinfo(picture.dtype)
            return np.clip(np.round(changed), limits.min, limits.max).astype(picture.dtype)
        return np.where(invalid, picture, changed).astype(picture.dtype)

    return on_counts


THERMAL: dict[str, OnThermal] = {
    effect.__name__: _on_counts(effect) for effect in (noise, banding, drift, dead_pixels, range_jump, blur)
}
