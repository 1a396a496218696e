# SPDX-License-Identifier: Apache-2.0
"""Random changes of pictures, a whole batch at a time; all randomness is torch's global generator."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def shift_and_flip(pictures: Tensor, pad: int) -> Tensor:
    """Move each picture by up to `pad` pixels on reflected borders, and mirror every second one.

    Args:
        pictures: (B, C, H, W).
        pad: pixels.
    """
    count, _, height, width = pictures.shape
    padded = functional.pad(pictures, (pad, pad, pad, pad), mode="reflect")
    rows = torch.randint(0, 2 * pad + 1, (count, 1)) + torch.arange(height)
    columns = torch.randint(0, 2 * pad + 1, (count, 1)) + torch.arange(width)
    columns = torch.where(torch.rand(count, 1) < 0.5, columns, columns.flip(1))
    moved = padded[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def jitter(pictures: Tensor, gain: float, offset: float) -> Tensor:
    """Change contrast by up to `gain` and brightness by up to `offset`, each colour a little differently.

    Args:
        pictures: (B, C, H, W) in [0, 1].
        gain: largest part of the contrast gained or lost.
        offset: largest change of brightness.
    """
    count, channels = pictures.shape[:2]
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    contrast = 1 + gain * _signed(count, 1)
    brightness = offset * (_signed(count, 1) + 0.25 * _signed(count, channels))
    return ((pictures - middle) * contrast + middle + brightness).clamp(0, 1)


def cut_out(pictures: Tensor, size: int) -> Tensor:
    """Grey out one square of each picture (DeVries & Taylor 2017), partly outside at times.

    Args:
        pictures: (B, C, H, W), centred on 0.
        size: side of the square, in pixels.
    """
    count, _, height, width = pictures.shape
    centre = torch.rand(2, count, 1)
    row = (torch.arange(height) - centre[0] * height).abs() < size / 2
    column = (torch.arange(width) - centre[1] * width).abs() < size / 2
    return pictures.masked_fill((row[:, :, None] & column[:, None, :])[:, None], 0)


def mirror(pictures: Tensor) -> Tensor:
    """Mirror every second one of (B, C, H, W)."""
    return torch.where(_half(pictures), pictures.flip(3), pictures)


def turn(pictures: Tensor) -> Tensor:
    """One of the eight symmetries of the square for each of (B, C, S, S)."""
    for dims in ((2,), (3,)):
        pictures = torch.where(_half(pictures), pictures.flip(dims), pictures)
    return torch.where(_half(pictures), pictures.transpose(2, 3), pictures)


def crop(pictures: Tensor, smallest: float) -> Tensor:
    """A square of each of (B, C, S, S), of one size for the batch.

    Args:
        pictures: square ones.
        smallest: side of the smallest square, as a part of S.
    """
    count, _, side, _ = pictures.shape
    kept = int(side * (1 - (1 - smallest) * float(torch.rand(()))))
    rows, columns = (torch.randint(0, side - kept + 1, (count, 1)) + torch.arange(kept) for _ in range(2))
    cropped = pictures[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return cropped.permute(0, 3, 1, 2)


def _half(pictures: Tensor) -> Tensor:
    return torch.rand(len(pictures), 1, 1, 1) < 0.5


def _signed(count: int, channels: int) -> Tensor:
    return torch.rand(count, channels, 1, 1) * 2 - 1
