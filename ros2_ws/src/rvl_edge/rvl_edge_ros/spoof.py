# SPDX-License-Identifier: Apache-2.0
"""A camera before a synthesised car, tampered with act by act: what `demo --spoof` shows the node.

Every picture's name begins with its act, and says what was done.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge import ConfigError, Modality, Perceiver
from rvl_edge_ros.demo_material import Grain, Shot
from rvl_edge_ros.spoof_attack import EPSILON, Attacked, attack

ACT_SECONDS = 4.0
ACTS = ("honest", "attacked", "honest again", "frozen", "covered")
_SHADOW, _RED, _GLASS, _TYRE, _RIM = (50, 50, 52), (190, 25, 30), (40, 55, 70), (20, 20, 22), (160, 160, 165)
_BODY = "50,172 50,142 65,135 100,131 125,102 195,100 225,129 262,137 271,172"
_REAR_WINDOW, _FRONT_WINDOW = "107,131 129,107 157,106 157,131", "164,106 192,105 216,129 164,131"


def tampered(rate: float, bundle: str = "") -> Iterator[Shot]:
    """Colour pictures (240, 320, 3) at `rate` Hz, without end: the acts in turn, and over again.

    The attack is made before this returns, which takes seconds.

    Args:
        rate: Hz.
        bundle: folder of the one to attack; empty: the one inside the SDK.

    Raises:
        ConfigError: it has no image encoder, or withstood the attack.
        BundleError: it cannot be used.
    """
    honest = car()
    return _play(honest, spoofed(honest, bundle), round(ACT_SECONDS * rate))


def act_of(name: str) -> str:
    """The act that a picture of this name belongs to; empty for other pictures."""
    act, colon, _ = name.partition(":")
    return act if colon and act in ACTS else ""


def spoofed(picture: npt.NDArray[np.uint8], bundle: str = "") -> Attacked:
    """The picture, attacked until the bundle sees something else in it; errors are `tampered`'s."""
    with Perceiver.open(bundle or None, modalities=[Modality.IMAGE], threads=1) as perceiver:
        found = attack(lambda pixels: perceiver.image(pixels).labels, picture)
    if found is None:
        raise ConfigError("the bundle withstood the attack", expected=f"to be deceived at ±{EPSILON}/255")
    return found


def car() -> npt.NDArray[np.uint8]:
    """A red car on a road under a pale sky, from its side."""
    sky, road = np.array((170, 210, 230)), np.array((95, 95, 97))
    scene = np.empty((240, 320, 3), np.uint8)
    scene[:125], scene[125:] = sky, road
    cv2.ellipse(scene, (160, 186), (115, 8), 0, 0, 360, _SHADOW, -1)
    for shape, colour in ((_BODY, _RED), (_REAR_WINDOW, _GLASS), (_FRONT_WINDOW, _GLASS)):
        cv2.fillPoly(scene, [_polygon(shape)], colour)
    for x in (92, 228):
        cv2.circle(scene, (x, 172), 21, _TYRE, -1)
        cv2.circle(scene, (x, 172), 11, _RIM, -1)
    blurred: npt.NDArray[np.uint8] = cv2.GaussianBlur(scene, (0, 0), 1)
    return blurred


def _polygon(corners: str) -> npt.NDArray[np.int32]:
    return np.array([corner.split(",") for corner in corners.split()], np.int32)


def _play(honest: npt.NDArray[np.uint8], attacked: Attacked, frames: int) -> Iterator[Shot]:
    grainy = Grain()
    how = f"±{EPSILON}/255, to be seen as {attacked.label}"
    for act in itertools.cycle(ACTS):
        for _ in range(frames):
            if act == "attacked":
                yield Shot(grainy(attacked.pixels), f"{act}: synthesised car, {how}")
            elif act == "frozen":
                yield Shot(honest, f"{act}: the same picture of a synthesised car")
            elif act == "covered":
                yield Shot(grainy(np.zeros_like(honest)), f"{act}: nothing to see")
            else:
                yield Shot(grainy(honest), f"{act}: synthesised car")
