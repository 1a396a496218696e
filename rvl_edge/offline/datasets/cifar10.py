# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10 (Krizhevsky 2009): JPEG archives, the official batches, or folders of pictures."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.archive import open_archive, open_batch
from rvl_edge.offline.datasets.samples import Part, Samples

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_SIDE = 32
_VALIDATION_PART = 20  # one in so many, from the end of the training part
_BATCHES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
_ENDINGS = (".jpg", ".jpeg", ".png")


def load_cifar10(folder: Path, part: Part) -> Samples:
    """Read one part of CIFAR-10 as (N, 32, 32, 3) uint8.

    Args:
        folder: holds `cifar10_{train,test}_jpeg.npz`, or `cifar-10-batches-py/` as the official download and
            torchvision leave it, or `{train,test}/<class>/` with pictures.
        part: `VALIDATION` is the last twentieth of the training part, and `TRAIN` is the rest.

    Raises:
        ConfigError: none of these forms is there, or a file of it is broken.
    """
    name = "test" if part is Part.TEST else "train"
    archive, batches, pictures = (
        folder / f"cifar10_{name}_jpeg.npz",
        folder / "cifar-10-batches-py",
        folder / name,
    )
    if archive.exists():
        return _from_archive(archive, part)
    if batches.is_dir():
        samples = _from_batches([batches / batch for batch in _BATCHES[name]])
    elif pictures.is_dir():
        samples = _from_pictures(pictures)
    else:
        raise ConfigError(
            "no CIFAR-10 there",
            got=folder,
            expected=f"{archive.name}, {batches.name}/ or {name}/<class>/*.jpg",
            fix="torchvision.datasets.CIFAR10(folder, download=True) fetches it",
        )
    return samples.take(_rows(len(samples), part))


def _rows(count: int, part: Part) -> slice:
    """Where a part lies in the file that it is cut from."""
    cut = count - count // _VALIDATION_PART
    return {Part.TEST: slice(None), Part.TRAIN: slice(cut), Part.VALIDATION: slice(cut, None)}[part]


def _from_archive(path: Path, part: Part) -> Samples:
    arrays = open_archive(path, ("jpeg", "offsets", "labels"))
    rows = _rows(len(arrays["labels"]), part)
    spans = list(pairwise(arrays["offsets"]))[rows]
    pictures = [_decode(arrays["jpeg"][start:stop], path) for start, stop in spans]
    return Samples(np.stack(pictures), arrays["labels"][rows].astype(np.int64), CLASSES)


def _from_batches(paths: list[Path]) -> Samples:
    batches = [open_batch(path) for path in paths]
    planes = np.concatenate([data for data, _ in batches]).reshape(-1, 3, _SIDE, _SIDE)
    labels = np.concatenate([labels for _, labels in batches])
    return Samples(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels, CLASSES)


def _from_pictures(folder: Path) -> Samples:
    found = [
        (path, label)
        for label, name in enumerate(CLASSES)
        for path in sorted((folder / name).glob("*"))
        if path.suffix.lower() in _ENDINGS
    ]
    if not found:
        raise ConfigError(
            "no pictures of CIFAR-10 there", got=folder, expected=f"folders {', '.join(CLASSES)}"
        )
    order = np.random.default_rng(0).permutation(len(found))  # or the last ones would be of one class
    pictures = [_decode(np.fromfile(found[index][0], np.uint8), found[index][0]) for index in order]
    return Samples(np.stack(pictures), np.array([found[index][1] for index in order], np.int64), CLASSES)


def _decode(content: npt.NDArray[np.uint8], source: Path) -> npt.NDArray[np.uint8]:
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if picture is None or picture.shape != (_SIDE, _SIDE, 3):
        raise ConfigError(
            f"{source} holds no picture of CIFAR-10",
            got="nothing readable" if picture is None else picture.shape,
            expected=(_SIDE, _SIDE, 3),
        )
    return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)
