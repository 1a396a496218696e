# SPDX-License-Identifier: Apache-2.0
"""Patches: they stay square and inside, go where they do harm, and survive being seen elsewhere."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.hardening.attacks.patch import LocatedPatch
from rvl_edge.offline.hardening.attacks.printed_patch import Placement, PrintedPatch

SIDE = 4


def _pictures(count: int = 3, size: int = 16) -> Tensor:
    return 0.3 + 0.4 * torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def _corner(pictures: Tensor, rows: Tensor) -> Tensor:
    """White is wanted in another corner region of each picture."""
    weights = torch.zeros(3, 1, *pictures.shape[-2:])
    weights[0, :, :5, :5] = weights[1, :, -6:, 2:7] = weights[2, :, 3:9, -4:] = 1
    return (pictures * weights[rows]).flatten(1).sum(dim=1)


def test_a_patch_goes_where_it_does_most_and_touches_nothing_else() -> None:
    pictures = _pictures()
    found = LocatedPatch(SIDE, steps=40, step_size=0.1)(_corner, pictures, torch.Generator().manual_seed(0))
    moved = (found != pictures).any(dim=1)
    for each, picture in zip(moved, found, strict=True):
        rows, columns = each.any(dim=1).nonzero()[:, 0], each.any(dim=0).nonzero()[:, 0]
        assert rows[-1] - rows[0] < SIDE
        assert columns[-1] - columns[0] < SIDE
        assert picture[:, each].min() > 0.99
    gain = _corner(found, torch.arange(3)) - _corner(pictures, torch.arange(3))
    assert (gain > 0.9 * 3 * SIDE**2 * 0.3).all()


def test_a_patch_walks_to_a_better_place() -> None:
    """The gradient points at a place that saturates; only walking finds the better one beside it."""

    def goal(pictures: Tensor, rows: Tensor) -> Tensor:
        lure = pictures[..., 4:8, 4:8].clamp(max=0.75) * 10
        ramp = torch.arange(16.0) ** 2 / 50
        return lure.flatten(1).sum(dim=1) + (pictures * ramp).flatten(1).sum(dim=1)

    pictures = 0.74 + torch.zeros(2, 3, 16, 16)
    values = []
    for walk in (0, 1):
        attack = LocatedPatch(SIDE, steps=60, step_size=0.1, walk_every=walk, stride=1)
        values.append(goal(attack(goal, pictures, torch.Generator().manual_seed(1)), torch.arange(2)))
    assert (values[1] > values[0] + 1).all()


def test_a_patch_in_a_clip_is_the_same_in_all_frames() -> None:
    clips = _pictures(4).view(2, 2, 3, 16, 16).transpose(1, 2).clone()
    found = LocatedPatch(SIDE, steps=5)(
        lambda each, rows: (each * torch.linspace(-1, 1, 16)).flatten(1).sum(dim=1),
        clips,
        torch.Generator().manual_seed(0),
    )
    moved = (found != clips).all(dim=1)
    assert moved.flatten(1).sum(dim=1).eq(2 * SIDE**2).all()
    for clip, where in zip(found, moved, strict=True):
        torch.testing.assert_close(clip[:, 0][:, where[0]], clip[:, 1][:, where[1]])


def test_a_print_is_shown_whole_at_the_size_that_is_asked_for() -> None:
    placement = Placement(scale=(0.5, 0.5), tilt=0, light=0)
    pictures = torch.zeros(20, 1, 24, 32)
    shown = placement.show(torch.ones(1, 8, 8), pictures, torch.Generator().manual_seed(0))
    area = shown.flatten(1).sum(dim=1)
    torch.testing.assert_close(area, torch.full((20,), 144.0), atol=13, rtol=0)
    centres = {tuple(picture[0].nonzero().float().mean(dim=0).tolist()) for picture in shown}
    assert len(centres) > 15


def test_an_upright_print_is_not_mirrored() -> None:
    """A placement over the whole picture is a plain resize."""
    patch = torch.rand(3, 6, 6, generator=torch.Generator().manual_seed(0))
    shown = Placement(scale=(1, 1), tilt=0, light=0).show(patch, torch.zeros(1, 3, 12, 12))
    expected = functional.interpolate(patch[None], size=(12, 12), mode="bilinear")
    torch.testing.assert_close(shown, expected)


@pytest.mark.parametrize("smoothness", [0.0, 50.0])
def test_one_print_works_wherever_it_is_seen(smoothness: float) -> None:
    """The goal wants red; a print of red is found from placements, and helps in pictures not seen before."""

    def red(pictures: Tensor, rows: Tensor) -> Tensor:
        return (pictures[:, 0] - pictures[:, 1:].mean(dim=1)).flatten(1).mean(dim=1)

    placement = Placement(scale=(0.3, 0.6))
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(3, 8, 8, generator=generator)
    batches = ((_pictures(4), red) for _ in range(30))
    patch = PrintedPatch(placement, step_size=0.1, smoothness=smoothness)(start, batches, generator)
    others = torch.rand(6, 3, 20, 20, generator=generator)
    gain = red(placement.show(patch, others, generator), torch.arange(6)) - red(others, torch.arange(6))
    assert (gain > 0.03).all()
    assert patch.min() >= 0
    assert patch.max() <= 1
