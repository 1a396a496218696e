# SPDX-License-Identifier: Apache-2.0
"""What the demo shows: scikit-image's photographs, filmed by a simulated camera; synthesised heat and sound.

Every piece says in its name what is simulated or synthesised; the replay puts the name into `frame_id`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge import Modality
from rvl_edge.errors import MissingDependency

SENSES = (Modality.IMAGE, Modality.THERMAL, Modality.AUDIO, Modality.VIDEO)  # there is nothing for depth
WIDTH, HEIGHT = 640, 480
SOUND_RATE = 48_000
SCENE_SECONDS = 3.0
SOUND_SECONDS = 7.0

# The window's side in sides of the photograph, and how far it travels or grows a second.
_SIDE, _SPEED = 0.78, 0.07
_GRAIN = 2.0  # the noise's standard deviation, of 255
_SHIFTS = 32
_SHOWN = (
    ("chelsea", "panning right"),
    ("chelsea", "panning left"),
    ("rocket", "zooming in"),
    ("rocket", "zooming out"),
    ("horse", "still"),
    ("motorcycle", "panning right"),
)


@dataclass(frozen=True)
class Shot:
    """A picture and what it shows: (H, W, 3) uint8, or a thermal picture of any type."""

    pixels: npt.NDArray[Any]
    name: str


class Grain:
    """Sensor noise, without which a still scene would be the same picture again: a camera that is stuck.

    Noise is drawn once, and every picture gets another part of it.
    """

    def __init__(self) -> None:
        self._random = np.random.default_rng(11)
        noise = self._random.normal(0, _GRAIN, (HEIGHT + _SHIFTS, WIDTH + _SHIFTS, 3))
        self._noise = np.round(noise).astype(np.int16)

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The (H, W, 3) picture with noise, up to HEIGHT x WIDTH."""
        (top, left), (height, width) = self._random.integers(_SHIFTS, size=2), pixels.shape[:2]
        noise = self._noise[top : top + height, left : left + width]
        noisy: npt.NDArray[np.uint8] = cv2.add(pixels, noise, dtype=cv2.CV_8U)
        return noisy


def photographs(rate: float) -> Iterator[Shot]:
    """Colour pictures at `rate` Hz, without end: photographs in turn, each filmed by a moving window.

    Raises:
        MissingDependency: scikit-image is not installed.
    """
    grainy = Grain()
    stills = {name: _photograph(name) for name, _ in _SHOWN}
    frames = round(SCENE_SECONDS * rate)
    for name, motion in itertools.cycle(_SHOWN):
        for at in range(frames):
            pixels = grainy(_filmed(stills[name], motion, (at + 0.5) / frames - 0.5))
            yield Shot(pixels, f"{name}, simulated camera {motion}")


def heat(rate: float, shapes: Sequence[str] = ("person", "car")) -> Iterator[Shot]:
    """Thermal pictures (256, 320) uint16 centikelvin at `rate` Hz, without end: warm shapes, cold ground."""
    random = np.random.default_rng(7)
    ground = cv2.GaussianBlur(random.normal(28300, 60, (256, 320)), (0, 0), 3)
    frames = round(SCENE_SECONDS * rate)
    for name in itertools.cycle(shapes):
        for at in range(frames):
            sway = 6 * np.sin(2 * np.pi * at / frames)
            warm = ground + 900 * _silhouette(name, sway)
            noisy = warm + random.normal(0, 8, warm.shape)
            yield Shot(noisy.astype(np.uint16), f"synthesised {name}")


def sounds(seconds: float) -> Iterator[Shot]:
    """Chunks (N, 1) float32 of `seconds` at `SOUND_RATE`, without end: rain, sea waves, a ticking clock."""
    size = round(seconds * SOUND_RATE)
    for name, make in itertools.cycle((("rain", _rain), ("clock tick", _clock), ("sea waves", _waves))):
        sound = make(np.random.default_rng(3)).astype(np.float32)[:, None]
        for start in range(0, len(sound) - size + 1, size):
            yield Shot(sound[start : start + size], f"synthesised {name}")


def _photograph(name: str) -> npt.NDArray[np.uint8]:
    try:
        from skimage import data
    except ImportError as error:
        raise MissingDependency(
            "the demo's photographs are scikit-image's", fix="pip install 'rvl-edge-sdk[demo]'"
        ) from error
    if name == "motorcycle":
        picture = data.stereo_motorcycle()[0]
    elif name == "horse":
        picture = np.repeat(np.uint8(255) * data.horse()[..., None], 3, axis=2)
    else:
        picture = getattr(data, name)()
    return np.ascontiguousarray(picture)


def _filmed(still: npt.NDArray[np.uint8], motion: str, progress: float) -> npt.NDArray[np.uint8]:
    """The window's view at `progress` in [-0.5, 0.5] of the scene."""
    height, width = still.shape[:2]
    travel = _SPEED * SCENE_SECONDS * progress
    side = _SIDE + {"zooming in": -travel, "zooming out": travel}.get(motion, 0.0)
    shift = {"panning right": travel, "panning left": -travel}.get(motion, 0.0)
    scale = side * min(height * WIDTH / HEIGHT, width) / WIDTH
    left = width / 2 + shift * width - scale * WIDTH / 2
    top = height / 2 - scale * HEIGHT / 2
    window = np.array([[scale, 0, left], [0, scale, top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    view: npt.NDArray[np.uint8] = cv2.warpAffine(
        still, window, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT
    )
    return view


def _silhouette(name: str, sway: float) -> npt.NDArray[np.float64]:
    """Warmth in [0, 1] of a shape near the centre, blurred as by a lens."""
    canvas = np.zeros((256, 320))
    x, y = round(160 + sway), 128
    if name == "person":
        cv2.ellipse(canvas, (x, y - 50), (14, 17), 0, 0, 360, 1.0, -1)
        cv2.ellipse(canvas, (x, y), (24, 42), 0, 0, 360, 0.8, -1)
        for leg in (-11, 11):
            cv2.ellipse(canvas, (x + leg, y + 55), (10, 40), 0, 0, 360, 0.7, -1)
    else:
        cv2.rectangle(canvas, (x - 80, y - 36), (x + 80, y + 36), 0.6, -1)
        cv2.rectangle(canvas, (x + 25, y - 30), (x + 76, y + 30), 1.0, -1)
        cv2.rectangle(canvas, (x - 45, y - 26), (x + 10, y + 26), 0.3, -1)
    blurred: npt.NDArray[np.float64] = cv2.GaussianBlur(canvas, (0, 0), 3)
    return blurred


def _noise(random: np.random.Generator, low: float, high: float) -> npt.NDArray[np.float64]:
    """Noise between two frequencies in Hz, with a standard deviation of 1."""
    count = round(SOUND_SECONDS * SOUND_RATE)
    spectrum = np.fft.rfft(random.normal(size=count))
    frequency = np.fft.rfftfreq(count, 1 / SOUND_RATE)
    sound: npt.NDArray[np.float64] = np.fft.irfft(spectrum * ((frequency > low) & (frequency < high)), count)
    return sound / float(sound.std())


def _rain(random: np.random.Generator) -> npt.NDArray[np.float64]:
    drops = _noise(random, 2000, 12000) * (random.random(round(SOUND_SECONDS * SOUND_RATE)) > 0.995)
    return 0.05 * _noise(random, 500, 10000) + 0.2 * drops


def _clock(random: np.random.Generator) -> npt.NDArray[np.float64]:
    time = np.arange(round(SOUND_SECONDS * SOUND_RATE)) / SOUND_RATE
    since = time % 0.5
    ring = np.sin(2 * np.pi * 3200 * since) + 0.5 * np.sin(2 * np.pi * 5100 * since)
    return 0.4 * ring * np.exp(-since / 0.006) + 0.002 * _noise(random, 50, 8000)


def _waves(random: np.random.Generator) -> npt.NDArray[np.float64]:
    time = np.arange(round(SOUND_SECONDS * SOUND_RATE)) / SOUND_RATE
    swell = 0.25 + 0.75 * np.sin(np.pi * time / 3.5) ** 4
    return 0.12 * swell * (_noise(random, 60, 1500) + 0.4 * swell * _noise(random, 1500, 6000))
