# SPDX-License-Identifier: Apache-2.0
"""Weather in pictures; see `tables.PictureTable` for the strengths."""

from __future__ import annotations

import cv2
import numpy as np

from rvl_edge.offline.evaluation.corruptions.blur import smear, zoom
from rvl_edge.offline.evaluation.corruptions.textures import frost_texture, plasma
from rvl_edge.types import FloatArray


def snow(
    picture: FloatArray,
    strength: tuple[float, float, float, float, int, float, float],
    random: np.random.Generator,
) -> FloatArray:
    """Falling flakes, smeared by their motion, in front of a paler scene."""
    mean, sigma, size, threshold, half, along, left = strength
    field = zoom(random.normal(mean, sigma, picture.shape[:2]).astype(np.float32), size)
    flakes = np.clip(np.where(field < threshold, 0, field), 0, 1)
    flakes = smear(flakes, half, along, random.uniform(-135, -45))[..., None]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
    pale = left * picture + (1 - left) * np.maximum(picture, grey * 1.5 + 0.5)
    return np.asarray(pale + flakes + np.rot90(flakes, 2), np.float32)


def frost(picture: FloatArray, strength: tuple[float, float], random: np.random.Generator) -> FloatArray:
    """Ice crystals on the lens, drawn by `frost_texture` where the published sets used six photographs."""
    kept, added = strength
    height, width = picture.shape[:2]
    return np.asarray(kept * picture + added * frost_texture(height, width, random), np.float32)


def fog(picture: FloatArray, strength: tuple[float, float], random: np.random.Generator) -> FloatArray:
    """A fractal cloud in front of the scene."""
    thickness, decay = strength
    height, width = picture.shape[:2]
    cloud = plasma(max(height, width), decay, random)[:height, :width, None]
    brightest = picture.max()
    return np.asarray((picture + thickness * cloud) * brightest / (brightest + thickness), np.float32)


def brightness(picture: FloatArray, added: float, random: np.random.Generator) -> FloatArray:
    """More daylight: a greater value in HSV."""
    del random
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hsv[..., 2] = np.clip(hsv[..., 2] + added, 0, 1)
    brighter: FloatArray = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return brighter
