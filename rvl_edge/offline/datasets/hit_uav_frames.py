# SPDX-License-Identifier: Apache-2.0
"""Chips cut from the official HIT-UAV frames round their boxes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.errors import ConfigError

CHIP_PIXELS = 64

_CATEGORIES = {"Person": 0, "Car": 1, "Bicycle": 2}
_BACKGROUND = 3
_SMALLEST_SQUARE = 32  # pixels of the frame
_MARGIN = 1.5  # side of a square in longest sides of its box
_LARGEST_GAP = 12  # frame numbers further apart belong to two flights
_TEST_PART = 5  # one flight in so many

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Frame:
    """One official picture.

    Attributes:
        path: of the picture. Its name is flags_altitude_angle_flag_number.
        boxes: (N, 4) x, y, width, height in pixels.
        labels: (N,) class, -1 for other vehicles and what the set says to ignore.
    """

    path: Path
    boxes: npt.NDArray[np.float64]
    labels: Numbers


def chips_from_frames(folder: Path, *, test: bool) -> tuple[Pixels, Numbers, Numbers]:
    """Cut chips, and as many squares of background as there are of the rarest class.

    A chip is the square of 1.5 longest sides of its box, at least 32 pixels, wholly inside the frame and
    without the centre of a box of another class.

    Args:
        folder: `normal_json`, with `annotations/{train,val,test}.json` and the pictures' folders.
        test: the flights set apart for testing, or the others.

    Returns:
        (N, 64, 64) chips, (N,) labels, (N,) number of the flight of each.

    Raises:
        ConfigError: a file that is missing or broken.
    """
    try:
        frames = [frame for part in ("train", "val", "test") for frame in _frames(folder, part)]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ConfigError(f"the annotations in {folder} cannot be used", got=repr(error)) from None
    flights = _flights(frames)
    order = np.random.default_rng(0).permutation(flights.max() + 1)
    tested = np.isin(flights, order[: len(order) // _TEST_PART])
    cut = [
        (chip, label, flight)
        for frame, flight, is_test in zip(frames, flights, tested, strict=True)
        if is_test == test
        for chip, label in _chips(frame)
    ]
    if not cut:
        raise ConfigError("no chip could be cut", got=folder, expected="frames with boxes")
    labels = np.array([label for _, label, _ in cut])
    fewest = min(np.count_nonzero(labels == label) for label in _CATEGORIES.values())
    spare = np.random.default_rng(0).permutation(np.flatnonzero(labels == _BACKGROUND))[fewest:]
    kept = np.setdiff1d(np.arange(len(cut)), spare)
    return (
        np.stack([cut[index][0] for index in kept]),
        labels[kept],
        np.array([cut[index][2] for index in kept]),
    )


def _frames(folder: Path, part: str) -> Iterator[Frame]:
    notes = json.loads((folder / "annotations" / f"{part}.json").read_text(encoding="utf-8"))
    labels = {each["id"]: _CATEGORIES.get(each["name"], -1) for each in notes["categories"]}
    boxes: dict[int, list[tuple[list[float], int]]] = {each["id"]: [] for each in notes["images"]}
    for each in notes[
        "annotation" if "annotation" in notes else "annotations"
    ]:  # the official files drop the s
        boxes[each["image_id"]].append((each["bbox"], labels[each["category_id"]]))
    for each in notes["images"]:
        name = each["filename"] if "filename" in each else each["file_name"]
        own = boxes[each["id"]]
        yield Frame(
            folder / part / name,
            np.array([box for box, _ in own], np.float64).reshape(-1, 4),
            np.array([label for _, label in own], np.int64),
        )


def _flights(frames: list[Frame]) -> Numbers:
    """Number of the flight of each frame: a new one where the setting changes or the frame number jumps."""
    names = [frame.path.stem.rpartition("_") for frame in frames]
    flights, flight, last = np.zeros(len(frames), np.int64), -1, ("", -1)
    for index in sorted(range(len(frames)), key=lambda at: (names[at][0], int(names[at][2]))):
        setting, number = names[index][0], int(names[index][2])
        flight += setting != last[0] or number - last[1] > _LARGEST_GAP
        flights[index], last = flight, (setting, number)
    return flights


def _chips(frame: Frame) -> Iterator[tuple[Pixels, int]]:
    picture = cv2.imread(str(frame.path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise ConfigError("a picture cannot be read", got=frame.path, fix="copy the set again")
    centres = frame.boxes[:, :2] + frame.boxes[:, 2:] / 2
    for centre, box, label in zip(centres, frame.boxes, frame.labels, strict=True):
        side = round(max(_SMALLEST_SQUARE, _MARGIN * box[2:].max()))
        corner = np.round(centre - side / 2).astype(int)
        strangers = _inside(centres[frame.labels != label], corner, side)
        if label >= 0 and not strangers and _fits(picture, corner, side):
            yield _cut(picture, corner, side), int(label)
    yield from ((chip, _BACKGROUND) for chip in _background(frame, picture))


def _background(frame: Frame, picture: Pixels) -> Iterator[Pixels]:
    """At most one square of the frame that touches no box."""
    random = np.random.default_rng(int(frame.path.stem.rpartition("_")[2]))
    side = int(random.integers(_SMALLEST_SQUARE, 2 * _SMALLEST_SQUARE))
    corner = random.integers(0, np.maximum(1, np.array(picture.shape[::-1]) - side))
    low, high = frame.boxes[:, :2], frame.boxes[:, :2] + frame.boxes[:, 2:]
    if not ((low < corner + side) & (high > corner)).all(axis=1).any() and _fits(picture, corner, side):
        yield _cut(picture, corner, side)


def _inside(points: npt.NDArray[np.float64], corner: Numbers, side: int) -> bool:
    return bool(((points >= corner) & (points < corner + side)).all(axis=1).any())


def _fits(picture: Pixels, corner: Numbers, side: int) -> bool:
    return bool((corner >= 0).all() and (corner + side <= picture.shape[::-1]).all())


def _cut(picture: Pixels, corner: Numbers, side: int) -> Pixels:
    x, y = corner
    square = picture[y : y + side, x : x + side]
    return np.asarray(cv2.resize(square, (CHIP_PIXELS,) * 2, interpolation=cv2.INTER_AREA), np.uint8)
