# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10 (Krizhevsky 2009): JPEG archives, the official batches, or folders of pictures."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.samples import Part, Samples

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
VALIDATION_SAMPLES = 2_500  # the last of the training part


def load_cifar10(folder: Path, part: Part) -> Samples:
    """Read one part of CIFAR-10 as (N, 32, 32, 3) uint8.

    Args:
        folder: holds `cifar10_{train,test}_jpeg.npz`, or `cifar-10-batches-py/`, or `train/<class>/*.jpg`.
        part: `VALIDATION` is the last 2,500 of the training part, and `TRAIN` is the rest.

    Raises:
        ConfigError: none of these forms is there, or a file of it is broken.
    """
    name = "test" if part is Part.TEST else "train"
    archive = folder / f"cifar10_{name}_jpeg.npz"
    if archive.exists():
        samples = _from_archive(archive)
    else:
        raise ConfigError("no CIFAR-10 there", got=folder)
    if part is Part.TEST:
        return samples
    cut = len(samples) - VALIDATION_SAMPLES
    return samples.take(slice(cut, None) if part is Part.VALIDATION else slice(cut))


def _from_archive(path: Path) -> Samples:
    with np.load(path, allow_pickle=False) as archive:
        jpeg, offsets, labels = archive["jpeg"], archive["offsets"], archive["labels"]
    pictures = [_decode(jpeg[start:stop]) for start, stop in pairwise(offsets)]
    return Samples(np.stack(pictures), labels.astype(np.int64), CLASSES)


def _decode(content: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)
