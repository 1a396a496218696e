# SPDX-License-Identifier: Apache-2.0
"""Views of a sample, made on the encoder's input and therefore the same for every sensor format."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadShape, ConfigError, NonFinite
from rvl_edge.types import FloatArray, Modality

_ASPECT = (3 / 4, 4 / 3)
KEEP = 0.8  # below, views of small pictures lose their object and cost more accuracy than they save


@dataclass(frozen=True)
class Crop:
    """A window of every plane, resized back to full size, and flipped left to right or not."""

    top: int
    left: int
    rows: int
    columns: int
    flipped: bool

    def write(self, sample: FloatArray, view: FloatArray) -> None:
        """Make the view of a sample (..., H, W)."""
        height, width = sample.shape[-2:]
        window = sample[..., self.top : self.top + self.rows, self.left : self.left + self.columns]
        planes = window.reshape(-1, self.rows, self.columns)
        for plane, target in zip(planes, view.reshape(-1, height, width), strict=True):
            cv2.resize(plane, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
        if self.flipped:
            view[:] = view[..., ::-1].copy()


@dataclass(frozen=True)
class Excerpt:
    """A part of a sound, started somewhere in it and repeated to full length."""

    start: int
    offset: int
    length: int

    def order(self, frames: int) -> npt.NDArray[np.intp]:
        """Which frame of the sound each of the view's `frames` is."""
        return self.start + (self.offset + np.arange(frames)) % self.length

    def write(self, sample: FloatArray, view: FloatArray) -> None:
        """Make the view of a sample (..., frames)."""
        np.take(sample, self.order(sample.shape[-1]), axis=-1, out=view)


def frame_seed(sample: FloatArray) -> int:
    """A seed from the sample's bytes: one sample always gets the same views, the next frame others.

    It is no secret: who can compute the sample can compute its views.
    """
    return zlib.crc32(np.ascontiguousarray(sample).data)


def plan_views(
    shape: Sequence[int], modality: Modality, count: int, seed: int, keep: float = KEEP
) -> tuple[Crop | Excerpt, ...]:
    """How `make_views` varies a sample of this shape: `count` - 1 variations, each the same for any count."""
    random = np.random.default_rng(seed)
    if modality is Modality.AUDIO:
        return tuple(_excerpt(shape[-1], keep, random) for _ in range(count - 1))
    flips = modality is not Modality.VIDEO
    return tuple(_crop(shape[-2], shape[-1], keep, flips, random) for _ in range(count - 1))


def make_views(
    sample: FloatArray, modality: Modality, count: int, seed: int, keep: float = KEEP
) -> FloatArray:
    """The sample and `count` - 1 random variations of it, in one batch for one run of the encoder.

    Pictures are cropped, resized back, and flipped left to right half of the time. All frames of a video get
    the same crop and none is flipped, which would turn a motion to the left into one to the right. Of a sound
    a part is kept, rotated in time, and repeated to full length, as preprocessing repeats short clips.

    Args:
        sample: (3, H, W) image, thermal or depth, (3, mel, frames) audio, (3, T, H, W) video; float32.
        modality: the sense it came from.
        count: N, 1 or more.
        seed: decides every view; see `frame_seed`.
        keep: the least share of a picture's area or a sound's length that a view keeps.

    Returns:
        (N, *sample.shape) float32; the first is the sample itself.

    Raises:
        ConfigError: `count` is not positive.
        BadShape: the sample has another number of axes, or an empty one.
        NonFinite: NaN or infinity in it.
    """
    if count < 1:
        raise ConfigError("at least the original is needed", got=f"{count} views")
    axes = 4 if modality is Modality.VIDEO else 3
    if sample.ndim != axes or not sample.size:
        raise BadShape(f"no {modality} input", got=sample.shape, expected=f"{axes} axes, none of them 0")
    if not np.isfinite(sample).all():
        raise NonFinite(f"{modality} input has NaN or infinity in it")
    views = np.empty((count, *sample.shape), np.float32)
    views[0] = sample
    for plan, view in zip(plan_views(sample.shape, modality, count, seed, keep), views[1:], strict=True):
        plan.write(sample, view)
    return views


def _crop(height: int, width: int, keep: float, flips: bool, random: np.random.Generator) -> Crop:
    area, aspect = random.uniform(keep, 1), np.exp(random.uniform(*np.log(_ASPECT)))
    rows = min(height, max(1, round(height * np.sqrt(area / aspect))))
    columns = min(width, max(1, round(width * np.sqrt(area * aspect))))
    top, left = int(random.integers(height - rows + 1)), int(random.integers(width - columns + 1))
    return Crop(top, left, rows, columns, flipped=flips and random.random() < 0.5)


def _excerpt(frames: int, keep: float, random: np.random.Generator) -> Excerpt:
    length = max(1, round(frames * random.uniform(keep, 1)))
    return Excerpt(int(random.integers(frames - length + 1)), int(random.integers(length)), length)
