# SPDX-License-Identifier: Apache-2.0
"""What stereo and time-of-flight cameras do to their pictures; a hole is 0 in integers and NaN in floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadShape
from rvl_edge.types import FloatArray

Depth = npt.NDArray[Any]
OnDepth = Callable[[Depth, int, np.random.Generator], Depth]

_HOLES = (0.05, 0.1, 0.2, 0.3, 0.45)
_SHADOWS = (0.004, 0.008, 0.016, 0.03, 0.05)
_DISPARITY_STEP = (0.005, 0.01, 0.02, 0.04, 0.08)
_FAR_NOISE = (0.002, 0.005, 0.01, 0.02, 0.04)
_EDGE = 0.05  # a jump of depth, as a part of it


def holes(metres: FloatArray, severity: int, random: np.random.Generator) -> FloatArray:
    """Glass, gloss and black things: this part of the picture, in blobs, measures nothing."""
    height, width = metres.shape
    coarse = random.standard_normal((8, 8), np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.where(field < np.quantile(field, _HOLES[severity - 1]), np.float32(np.nan), metres)


def edge_shadows(metres: FloatArray, severity: int, random: np.random.Generator) -> FloatArray:
    """Beside near things one of the two eyes sees nothing: a strip left of each edge, parts of the width."""
    del random
    reach = max(1, round(_SHADOWS[severity - 1] * metres.shape[1]))
    measured = np.where(np.isfinite(metres), metres, 0)
    nearer = measured[:, 1:] < measured[:, :-1] * (1 - _EDGE)
    nearer &= measured[:, 1:] > 0
    shadow = np.zeros(metres.shape, bool)
    for step in range(reach):
        shadow[:, : metres.shape[1] - 1 - step] |= nearer[:, step:]
    return np.where(shadow, np.float32(np.nan), metres)


def quantisation(metres: FloatArray, severity: int, random: np.random.Generator) -> FloatArray:
    """Whole steps of disparity, given in 1/m: steps of depth grow as its square."""
    del random
    step = _DISPARITY_STEP[severity - 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.maximum(np.round(1 / (metres * step)), 1)
        return (1 / (steps * step)).astype(np.float32)


def far_noise(metres: FloatArray, severity: int, random: np.random.Generator) -> FloatArray:
    """Normal noise whose sigma is this much times the depth's square, in 1/m (Nguyen et al. 2012: 0.0019)."""
    sigma = _FAR_NOISE[severity - 1] * metres**2
    noisy = metres + sigma * random.standard_normal(metres.shape, np.float32)
    return np.maximum(noisy, 1e-3).astype(np.float32)


def _on_metres(effect: OnDepth) -> OnDepth:
    """An effect on metres, NaN where nothing was measured, as one on what the camera sends."""

    def on_metres(picture: Depth, severity: int, random: np.random.Generator) -> Depth:
        if picture.ndim != 2 or picture.size == 0:
            raise BadShape("one channel is corrupted at a time", got=picture.shape, expected="(H, W)")
        whole = picture.dtype.kind in "ui"
        metres = picture.astype(np.float32) / (1000 if whole else 1)
        measured = np.isfinite(metres) & (metres > 0)
        changed = effect(np.where(measured, metres, np.float32(np.nan)), severity, random)
        if whole:
            millimetres = np.round(np.nan_to_num(changed) * 1000)
            changed = np.clip(millimetres, 0, np.iinfo(picture.dtype).max)
        return np.where(measured, changed, picture).astype(picture.dtype)

    return on_metres


DEPTH: dict[str, OnDepth] = {
    effect.__name__: _on_metres(effect) for effect in (holes, edge_shadows, quantisation, far_noise)
}
