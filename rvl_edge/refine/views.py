# SPDX-License-Identifier: Apache-2.0
"""Views of a sample, made on the encoder's input and therefore the same for every sensor format."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import cv2
import numpy as np

from rvl_edge.errors import BadShape, ConfigError, NonFinite
from rvl_edge.types import FloatArray, Modality

_AREA = (0.5, 1.0)  # share of the picture a crop keeps; small pictures lose their object below half
_ASPECT = (3 / 4, 4 / 3)
_DURATION = (0.5, 1.0)  # share of the clip an audio view keeps

_View = Callable[[FloatArray, FloatArray, np.random.Generator], None]


def frame_seed(sample: FloatArray) -> int:
    """A seed from the sample's bytes: one sample always gets the same views, the next frame others.

    It is no secret: who can compute the sample can compute its views.
    """
    return zlib.crc32(np.ascontiguousarray(sample).data)


def make_views(sample: FloatArray, modality: Modality, count: int, seed: int) -> FloatArray:
    """The sample and `count` - 1 random variations of it, in one batch for one run of the encoder.

    Pictures are cropped, resized back, and flipped left to right half of the time. All frames of a video get
    the same crop and none is flipped, which would turn a motion to the left into one to the right. Of a sound
    a part is kept, rotated in time, and repeated to full length, as preprocessing repeats short clips.

    Args:
        sample: (3, H, W) image, thermal or depth, (3, mel, frames) audio, (3, T, H, W) video; float32.
        modality: the sense it came from.
        count: N, 1 or more.
        seed: decides every view; see `frame_seed`.

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
    random = np.random.default_rng(seed)
    vary = _VARIATIONS[modality]
    for view in views[1:]:
        vary(sample, view, random)
    return views


def _cropped(sample: FloatArray, view: FloatArray, random: np.random.Generator) -> None:
    """The same crop of every plane, resized back to full size."""
    height, width = sample.shape[-2:]
    area, aspect = random.uniform(*_AREA), np.exp(random.uniform(*np.log(_ASPECT)))
    rows = min(height, max(1, round(height * np.sqrt(area / aspect))))
    columns = min(width, max(1, round(width * np.sqrt(area * aspect))))
    top, left = random.integers(height - rows + 1), random.integers(width - columns + 1)
    planes = sample[..., top : top + rows, left : left + columns].reshape(-1, rows, columns)
    for plane, target in zip(planes, view.reshape(-1, height, width), strict=True):
        cv2.resize(plane, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)


def _cropped_and_flipped(sample: FloatArray, view: FloatArray, random: np.random.Generator) -> None:
    _cropped(sample, view, random)
    if random.random() < 0.5:
        view[:] = view[..., ::-1].copy()


def _rotated(sample: FloatArray, view: FloatArray, random: np.random.Generator) -> None:
    """A part of the clip, started somewhere in it and repeated to full length."""
    frames = sample.shape[-1]
    length = max(1, round(frames * random.uniform(*_DURATION)))
    start, offset = random.integers(frames - length + 1), random.integers(length)
    np.take(sample, start + (offset + np.arange(frames)) % length, axis=-1, out=view)


_VARIATIONS: dict[Modality, _View] = {
    Modality.IMAGE: _cropped_and_flipped,
    Modality.THERMAL: _cropped_and_flipped,
    Modality.DEPTH: _cropped_and_flipped,
    Modality.VIDEO: _cropped,
    Modality.AUDIO: _rotated,
}
