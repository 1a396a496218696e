# SPDX-License-Identifier: Apache-2.0
"""Simulated clips move as their labels say."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rvl_edge.offline.datasets.camera_motion import MOTIONS, simulate_motion

FRAMES = 6


def _coordinates(motion: str, count: int = 50) -> tuple[Tensor, Tensor]:
    """Clips of a picture whose colours are its own x and y: a pixel says where it comes from."""
    axis = (torch.arange(64) + 0.5) / 64
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    stills = torch.stack([x, y, torch.zeros_like(x)]).expand(count, -1, -1, -1)
    torch.manual_seed(0)
    clips = simulate_motion(stills, torch.full((count,), MOTIONS.index(motion)), frames=FRAMES, size=32)
    assert clips.shape == (count, 3, FRAMES, 32, 32)
    return clips[:, 0], clips[:, 1]


def _moves(motion: str) -> tuple[Tensor, Tensor, Tensor]:
    """From first to last frame: how far the window went right and down, and by how much its side changed."""
    x, y = _coordinates(motion)
    centre = [axis[:, :, 15:17, 15:17].mean(dim=(2, 3)) for axis in (x, y)]
    side = (x[:, :, 16, 31] - x[:, :, 16, 0]) * 32 / 31
    across, down = (axis[:, -1] - axis[:, 0] for axis in centre)
    return across, down, side[:, -1] / side[:, 0]


@pytest.mark.parametrize(("motion", "sign"), [("camera panning left", -1), ("camera panning right", 1)])
def test_a_pan_moves_the_window_that_way_only(motion: str, sign: int) -> None:
    across, down, growth = _moves(motion)
    assert (sign * across > 0.06).all()
    assert down.abs().max() < 0.03
    assert (growth - 1).abs().max() < 0.05


@pytest.mark.parametrize(("motion", "larger"), [("camera zooming in", False), ("camera zooming out", True)])
def test_a_zoom_changes_the_window_and_not_its_place(motion: str, larger: bool) -> None:
    across, down, growth = _moves(motion)
    assert ((growth > 1.08) if larger else (growth < 0.93)).all()
    assert max(across.abs().max(), down.abs().max()) < 0.03


def test_a_still_camera_hardly_moves() -> None:
    across, down, growth = _moves("still camera")
    assert max(across.abs().max(), down.abs().max()) < 0.03
    assert (growth - 1).abs().max() < 0.05


def test_windows_stay_inside_the_still() -> None:
    for motion in MOTIONS:
        for axis in _coordinates(motion):
            left, right = axis.amin(dim=(2, 3)), axis.amax(dim=(2, 3))
            assert left.min() >= 0
            assert right.max() <= 1
            span = (right - left).mean()
            assert 0.4 < span < 1
