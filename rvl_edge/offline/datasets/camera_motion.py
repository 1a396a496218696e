# SPDX-License-Identifier: Apache-2.0
"""Simulated clips: the window of a camera that pans or zooms over a still."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

MOTIONS = (
    "camera panning left",
    "camera panning right",
    "camera zooming in",
    "camera zooming out",
    "still camera",
)
_WINDOW = (
    0.6,
    0.85,
)  # side of a window in sides of the still; a zoom ends or begins at the still's whole side
_TRAVEL = (0.6, 1.0)  # how much of the room for moving or growing a motion uses
_SHAKE = 0.003  # sides of the still, so that no window stands mathematically still


def simulate_motion(stills: Tensor, motions: Tensor, *, frames: int, size: int) -> Tensor:
    """Film each still with a moving window; all randomness is torch's global generator.

    A camera that pans left moves its window left, so the scene moves right.

    Args:
        stills: (B, 3, H, W) float32 in [0, 1].
        motions: (B,) int64, index into `MOTIONS`.
        frames: T, evenly spaced in time.
        size: S, side of a frame in pixels.

    Returns:
        (B, 3, T, S, S) float32 in [0, 1].
    """
    count = len(stills)
    progress = torch.linspace(-0.5, 0.5, frames)
    small = _between(count, _WINDOW)
    travel = (1 - small) * _between(count, _TRAVEL)
    pan = ((motions == 1).float() - (motions == 0).float())[:, None]
    zoom = ((motions == 3).float() - (motions == 2).float())[:, None]

    mean_side = small + zoom.abs() * travel / 2
    side = mean_side + zoom * travel * progress
    free = 1 - (mean_side + zoom.abs() * travel / 2)  # room beside the largest window
    across = (free - pan.abs() * travel).clamp_min(0) * (torch.rand(count, 1) - 0.5)
    down = free * (torch.rand(count, 1) - 0.5)
    x = across + pan * travel * progress + _SHAKE * torch.randn(count, frames)
    y = down + _SHAKE * torch.randn(count, frames)

    pixels = (torch.arange(size) + 0.5) / size * 2 - 1
    columns = 2 * x[..., None] + side[..., None] * pixels
    rows = 2 * y[..., None] + side[..., None] * pixels
    grid = torch.stack(
        [columns[:, :, None].expand(-1, -1, size, -1), rows[..., None].expand(-1, -1, -1, size)], dim=-1
    )
    sheet = grid.flatten(1, 2)  # (B, T * S, S, 2): the frames of a clip below each other
    film = functional.grid_sample(stills, sheet, padding_mode="reflection", align_corners=False)
    return film.view(count, 3, frames, size, size)


def _between(count: int, bounds: tuple[float, float]) -> Tensor:
    return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(count, 1)
