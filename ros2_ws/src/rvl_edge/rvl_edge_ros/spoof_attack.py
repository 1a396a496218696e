# SPDX-License-Identifier: Apache-2.0
"""An attacker who may ask the bundle what it sees: the Square Attack, which needs no gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from rvl_edge import Label

Picture = npt.NDArray[np.uint8]
Ask = Callable[[Picture], tuple[Label, ...]]

EPSILONS = (8, 16, 32, 64)  # of 255, tried in turn; people see the later ones
QUERIES = 300  # for each of them
_LEAD = 2.0  # times as likely as the truth that another label must be: sensor noise must not undo it
_FIRST_SHARE = 0.3  # of the picture, that the first square covers


@dataclass(frozen=True)
class Attacked:
    """A picture made to be seen as something else.

    Attributes:
        pixels: (H, W, 3) uint8.
        epsilon: by how much any value was changed at most, of 255.
        label: what it is seen as.
    """

    pixels: Picture
    epsilon: int
    label: str


def attack(ask: Ask, picture: Picture, seed: int = 0) -> Attacked | None:
    """Search for the smallest of `EPSILONS` that changes what a picture is seen as.

    Random squares of ±epsilon, ever smaller, are kept where they make the first label less likely against
    the others: the l-infinity form of Andriushchenko et al., ECCV 2020.

    Args:
        ask: picture -> labels by falling probability; there must be two of them.
        picture: (H, W, 3) uint8.
        seed: of the squares.

    Returns:
        None where all of them failed.
    """
    truth = ask(picture)[0].name
    for epsilon in EPSILONS:
        found = _search(ask, picture, truth, epsilon, np.random.default_rng(seed))
        if found is not None:
            return found
    return None


def _search(
    ask: Ask, picture: Picture, truth: str, epsilon: int, random: np.random.Generator
) -> Attacked | None:
    def signs(*shape: int) -> npt.NDArray[np.int16]:
        return (epsilon * random.choice((-1, 1), shape)).astype(np.int16)

    height, width, channels = picture.shape
    tried = np.repeat(signs(1, width, channels), height, axis=0)  # stripes
    change, best = tried, 0.0
    for query in range(QUERIES):
        pixels = np.clip(picture + tried, 0, 255).astype(np.uint8)
        labels = ask(pixels)
        rival = next(label for label in labels if label.name != truth)
        own = next(label for label in labels if label.name == truth)
        lead = rival.probability / max(own.probability, 1e-12)
        if lead >= _LEAD:
            return Attacked(pixels, epsilon, rival.name)
        if lead > best:
            change, best = tried, lead
        side = max(1, round(sqrt(_FIRST_SHARE * (1 - query / QUERIES)) * min(height, width)))
        top, left = random.integers((height - side + 1, width - side + 1))
        tried = change.copy()
        tried[top : top + side, left : left + side] = signs(channels)
    return None
