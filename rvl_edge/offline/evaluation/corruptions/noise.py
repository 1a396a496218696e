# SPDX-License-Identifier: Apache-2.0
"""Noise of pictures; see `tables.PictureTable` for the strengths."""

from __future__ import annotations

import numpy as np

from rvl_edge.types import FloatArray


def gaussian_noise(picture: FloatArray, sigma: float, random: np.random.Generator) -> FloatArray:
    """Low light: independent normal noise on each value."""
    return np.asarray(picture + sigma * random.standard_normal(picture.shape, np.float32), np.float32)


def shot_noise(picture: FloatArray, photons: float, random: np.random.Generator) -> FloatArray:
    """Few photons: Poisson counts."""
    return (random.poisson(picture * photons) / photons).astype(np.float32)


def impulse_noise(picture: FloatArray, part: float, random: np.random.Generator) -> FloatArray:
    """Bit errors: values that are black or white, salt and pepper alike."""
    hit, white = random.random((2, *picture.shape), np.float32)
    return np.where(hit < part, np.float32(white < 0.5), picture)
