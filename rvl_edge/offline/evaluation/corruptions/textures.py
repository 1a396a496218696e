# SPDX-License-Identifier: Apache-2.0
"""Clouds and ice, drawn by chance."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.types import FloatArray

_ICE = np.array([0.82, 0.92, 1.0], np.float32)
_DRAWN_LARGER = 4  # crystals are thinner than a pixel of a small picture


def plasma(side: int, decay: float, random: np.random.Generator) -> FloatArray:
    """A cloud by the diamond-square algorithm (Fournier et al. 1982), with borders that meet.

    Args:
        side: the smallest useful side; the field's is the next power of two.
        decay: of the detail from one halving of the scale to the next, as its square.
        random: what it is drawn by.

    Returns:
        (S, S) float32, from 0 to 1.
    """
    size = 1 << max(1, side - 1).bit_length()
    field = np.zeros((size, size))
    step, rough = size, 1.0
    while step >= 2:
        half = step // 2
        corner = field[::step, ::step]
        right, below = np.roll(corner, -1, 1), np.roll(corner, -1, 0)
        centre = (corner + right + below + np.roll(right, -1, 0)) / 4
        centre = centre + rough * random.uniform(-1, 1, centre.shape)
        across = (corner + right + centre + np.roll(centre, 1, 0)) / 4
        down = (corner + below + centre + np.roll(centre, 1, 1)) / 4
        field[half::step, half::step] = centre
        field[::step, half::step] = across + rough * random.uniform(-1, 1, across.shape)
        field[half::step, ::step] = down + rough * random.uniform(-1, 1, down.shape)
        step, rough = half, rough / decay**2
    field -= field.min()
    return np.asarray(field / max(field.max(), 1e-12), np.float32)


def frost_texture(height: int, width: int, random: np.random.Generator) -> FloatArray:
    """Feathers of ice over a film of it, (height, width, 3) float32 from 0 to 1, bluish white."""
    size = np.array([width, height]) * _DRAWN_LARGER
    drawn = np.zeros((size[1], size[0]), np.uint8)
    for _ in range(16):
        length = random.uniform(0.2, 0.6) * size.max()
        _grow(drawn, random.random(2) * size, random.uniform(0, 2 * np.pi), length, random)
    crystals = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    film = plasma(max(height, width), 1.3, random)[:height, :width]
    return np.asarray(np.clip(0.75 * crystals + 0.75 * film, 0, 1)[..., None] * _ICE, np.float32)


def _grow(
    canvas: npt.NDArray[np.uint8],
    root: npt.NDArray[np.float64],
    angle: float,
    length: float,
    random: np.random.Generator,
) -> None:
    """Draw a stem with branches at 60 degrees, as ice grows, which have branches of their own."""
    if length < max(4 * _DRAWN_LARGER, max(canvas.shape) / 32):
        return
    tip = root + length * np.array([np.cos(angle), np.sin(angle)])
    ends = [[round(float(each)) for each in point] for point in (root, tip)]
    cv2.line(canvas, ends[0], ends[1], 255, 2 + round(length / 60), cv2.LINE_AA)
    for part in np.sort(random.uniform(0.1, 0.95, 7)):
        turn = np.pi / 3 if random.random() < 0.5 else -np.pi / 3
        shorter = length * (1 - part) * random.uniform(0.2, 0.6)
        _grow(canvas, root + part * (tip - root), angle + turn, shorter, random)
