# SPDX-License-Identifier: Apache-2.0
"""The fifteen corruptions of ImageNet-C, on uint8 colour pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadShape
from rvl_edge.offline.evaluation.corruptions.blur import defocus_blur, glass_blur, motion_blur, zoom_blur
from rvl_edge.offline.evaluation.corruptions.digital import (
    contrast,
    elastic_transform,
    jpeg_compression,
    pixelate,
)
from rvl_edge.offline.evaluation.corruptions.noise import gaussian_noise, impulse_noise, shot_noise
from rvl_edge.offline.evaluation.corruptions.tables import table_for
from rvl_edge.offline.evaluation.corruptions.weather import brightness, fog, frost, snow
from rvl_edge.types import FloatArray

Picture = npt.NDArray[np.uint8]
OnPicture = Callable[[Picture, int, np.random.Generator], Picture]


def _on_uint8(effect: Callable[[FloatArray, Any, np.random.Generator], FloatArray]) -> OnPicture:
    """An effect on [0, 1] as one on 0..255, its strength read from the table of the picture's size."""

    def on_picture(picture: Picture, severity: int, random: np.random.Generator) -> Picture:
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise BadShape(
                "only colour pictures are corrupted",
                got=f"{picture.shape} {picture.dtype}",
                expected="(H, W, 3) uint8",
            )
        strength = getattr(table_for(min(picture.shape[:2])), effect.__name__)[severity - 1]
        changed = effect(np.asarray(picture / 255, np.float32), strength, random)
        return np.round(np.clip(changed, 0, 1) * 255).astype(np.uint8)

    return on_picture


PICTURES: dict[str, OnPicture] = {
    effect.__name__: _on_uint8(effect)
    for effect in (
        gaussian_noise,
        shot_noise,
        impulse_noise,
        defocus_blur,
        glass_blur,
        motion_blur,
        zoom_blur,
        snow,
        frost,
        fog,
        brightness,
        contrast,
        elastic_transform,
        pixelate,
        jpeg_compression,
    )
}
