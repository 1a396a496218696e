# SPDX-License-Identifier: Apache-2.0
"""Separable resampling of the centre square of a picture, equal to torchvision's on float tensors.

Resampling one axis is a product with a banded matrix: each output pixel is a weighted sum of a few
neighbouring input pixels. The matrix is cut into blocks of output rows, and each block keeps only the input
columns it touches, so the product is a handful of small dense ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge._products import product
from rvl_edge.preprocess.spec import PictureSpec
from rvl_edge.types import FloatArray

# Measured: smaller blocks waste calls, larger ones waste products with zeros. A block's source rows, of
# which there are scale * (rows + 4), should also fit the processor's second cache.
ROWS_PER_BLOCK = 16
COLUMNS_PER_BLOCK = 32
SOURCE_FLOATS = 2**18


@dataclass(frozen=True)
class Block:
    """Output pixels `out` of one axis are `weights` (len(out), len(taps)) times input pixels `taps`."""

    out: slice
    taps: slice
    weights: FloatArray


def resample_centre(picture: npt.NDArray[np.generic], spec: PictureSpec) -> FloatArray:
    """Resize the short side to `spec.size` and keep the centre square, computing nothing outside of it.

    The long side becomes `spec.resized`, and the crop starts at round((long - size) / 2), halves to even, as
    in torchvision. Values are not clamped: bicubic overshoots.

    Args:
        picture: (H, W, C) with C of 1 or 3, uint8 or float32, any strides, at least one pixel.

    Returns:
        (C, size, size) float32, C-contiguous, in the units of `picture`.
    """
    height, width, channels = picture.shape
    size, short = spec.size, min(height, width)
    columns = blocks(Axis.of(width, short, spec), COLUMNS_PER_BLOCK)
    left, right = columns[0].taps.start, columns[-1].taps.stop
    picture = picture[:, left:right]
    width = right - left
    fitting = int(SOURCE_FLOATS / (width * channels * max(short / size, 1))) - 4
    rows = blocks(Axis.of(height, short, spec), min(max(fitting, 1), ROWS_PER_BLOCK))

    deepest = max(row.weights.shape[1] for row in rows)
    source = np.empty((deepest, width, channels), np.float32)
    mixed = np.empty((ROWS_PER_BLOCK, width, channels), np.float32)
    planes = np.empty((channels, ROWS_PER_BLOCK, width), np.float32)
    result = np.empty((channels, size, size), np.float32)
    # One block of rows goes through both axes before the next, so the scratch stays in cache and is small
    # whatever the size of the picture.
    for row in rows:
        count, depth = row.weights.shape
        source[:depth] = picture[row.taps]
        product(row.weights, source[:depth].reshape(depth, -1), mixed[:count].reshape(count, -1))
        cv2.split(mixed[:count], [plane[:count] for plane in planes])
        for column in columns:
            taps = slice(column.taps.start - left, column.taps.stop - left)
            np.matmul(planes[:, :count, taps], column.weights.T, out=result[:, row.out, column.out])
    return result


@dataclass(frozen=True)
class Axis:
    """Resize `length` pixels to `resized` and keep the `kept` in the middle."""

    length: int
    resized: int
    kept: int
    interpolation: str
    antialias: bool

    @classmethod
    def of(cls, length: int, short: int, spec: PictureSpec) -> Axis:
        """One axis of a picture whose short side is `short`."""
        resized = spec.resized(length, short)
        return cls(length, resized, spec.size, spec.interpolation, spec.antialias)


@lru_cache(maxsize=64)
def blocks(axis: Axis, pixels_per_block: int) -> tuple[Block, ...]:
    """Weights of the kept pixels of an axis, cut into blocks of output pixels."""
    first = round((axis.resized - axis.kept) / 2)
    weigh = _antialiased if axis.antialias else _point_sampled
    taps, weights = weigh(axis, np.arange(first, first + axis.kept))
    cut = []
    for start in range(0, axis.kept, pixels_per_block):
        part = slice(start, min(start + pixels_per_block, axis.kept))
        low, high = int(taps[part].min()), int(taps[part].max()) + 1
        dense = np.zeros((part.stop - part.start, high - low))
        # add.at, because taps clamped to the border repeat
        np.add.at(dense, (np.arange(len(dense))[:, None], taps[part] - low), weights[part])
        block = dense.astype(np.float32)
        block.setflags(write=False)
        cut.append(Block(part, slice(low, high), block))
    return tuple(cut)


_Taps = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


def _antialiased(axis: Axis, pixels: npt.NDArray[np.int64]) -> _Taps:
    """Kernel stretched by the scale when shrinking, cut at the border and renormalised (Pillow's rule)."""
    scale = axis.length / axis.resized
    stretch = max(scale, 1.0)
    support = (2 if axis.interpolation == "bicubic" else 1) * stretch
    centre = scale * (pixels + 0.5)
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + support + 0.5).astype(np.int64), axis.length)
    taps = first[:, None] + np.arange((last - first).max())
    weights = _kernel((taps - centre[:, None] + 0.5) / stretch, axis.interpolation, a=-0.5)
    weights[taps >= last[:, None]] = 0
    return np.minimum(taps, axis.length - 1), weights / weights.sum(axis=1, keepdims=True)


def _point_sampled(axis: Axis, pixels: npt.NDArray[np.int64]) -> _Taps:
    """Kernel at its own width, border pixels repeated (the rule of OpenCV and of torch without antialias).

    The centres are rounded to float32 once, as by the torch of LanguageBind's reference (with FMA): in a wide
    picture that moves them by 1e-4 pixels.
    """
    scale = np.float32(axis.length) / np.float32(axis.resized)
    centre = (float(scale) * (pixels + 0.5) - 0.5).astype(np.float32).astype(np.float64)
    reach = np.arange(-1, 3) if axis.interpolation == "bicubic" else np.arange(2)
    taps = np.floor(centre).astype(np.int64)[:, None] + reach
    weights = _kernel(taps - centre[:, None], axis.interpolation, a=-0.75)
    return np.clip(taps, 0, axis.length - 1), weights


def _kernel(x: npt.NDArray[np.float64], interpolation: str, a: float) -> npt.NDArray[np.float64]:
    """Triangle, or Keys' cubic convolution kernel (IEEE TASSP 29(6), 1981, eq. 4, with a free `a`)."""
    x = np.abs(x)
    if interpolation == "bilinear":
        return np.maximum(1 - x, 0)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
