# SPDX-License-Identifier: Apache-2.0
"""An attacker who may ask the bundle what it sees, and who needs no gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge import Label

Picture = npt.NDArray[np.uint8]
Ask = Callable[[Picture], tuple[Label, ...]]

EPSILON = 48  # of 255: people see it too, and it is there after the picture was made small
QUERIES = 500
CELLS = 32  # across the shorter side: finer ones would be gone at a small encoder's size
_LEAD = 2.0  # times as likely as the truth that another label must be: sensor noise must not undo it
_FIRST_SHARE = 0.3  # of the picture, that the first square covers


@dataclass(frozen=True)
class Attacked:
    """A picture, (H, W, 3) uint8, and the wrong label that it is seen as."""

    pixels: Picture
    label: str


def attack(ask: Ask, picture: Picture, *, epsilon: int = EPSILON, seed: int = 0) -> Attacked | None:
    """Search for a pattern that changes what a picture is seen as.

    Cells are made brighter or darker by epsilon. Within random squares, ever smaller, they are drawn anew,
    and kept where that makes the first label less likely against the others: the random search of
    Andriushchenko et al. (ECCV 2020), over patterns that a film on the lens could show.

    Args:
        ask: picture -> labels by falling probability; there must be two of them.
        picture: (H, W, 3) uint8.
        epsilon: by how much any value is changed at most, of 255.
        seed: of the patterns.

    Returns:
        None where no pattern was found in `QUERIES` queries.
    """
    truth = ask(picture)[0].name
    random = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    cell = min(height, width) / CELLS
    rows, columns = round(height / cell), round(width / cell)
    tried = kept = _signs(random, rows, columns)
    best = 0.0
    for query in range(QUERIES):
        pattern = cv2.resize(tried, (width, height), interpolation=cv2.INTER_NEAREST)
        pixels = np.clip(picture + epsilon * pattern[..., None].astype(np.int16), 0, 255).astype(np.uint8)
        labels = ask(pixels)
        rival = next(label for label in labels if label.name != truth)
        own = next(label for label in labels if label.name == truth)
        lead = rival.probability / max(own.probability, 1e-12)
        if lead >= _LEAD:
            return Attacked(pixels, rival.name)
        if lead > best:
            kept, best = tried, lead
        side = max(1, round(sqrt(_FIRST_SHARE * (1 - query / QUERIES)) * min(rows, columns)))
        top, left = random.integers((rows - side + 1, columns - side + 1))
        tried = kept.copy()
        tried[top : top + side, left : left + side] = _signs(random, side, side)
    return None


def _signs(random: np.random.Generator, rows: int, columns: int) -> npt.NDArray[np.int8]:
    return random.choice(np.array((-1, 1), np.int8), (rows, columns))
