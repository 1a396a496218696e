# SPDX-License-Identifier: Apache-2.0
"""One patch for all pictures, at any place and size, as a print in the scene is (Brown et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.hardening.attacks.goals import Goal


@dataclass(frozen=True)
class Placement:
    """Where a print appears: anywhere, its side a random part of the picture's short side, tilted a little.

    Attributes:
        scale: least and largest side, parts of the short side.
        tilt: largest rotation either way, in degrees.
        light: the print's brightness is multiplied by 1 plus or minus up to this.
    """

    scale: tuple[float, float] = (0.15, 0.4)
    tilt: float = 15.0
    light: float = 0.2

    def show(self, patch: Tensor, samples: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Show a patch (C, h, h) once in each of (B, C, H, W), with gradients to the patch."""
        count, device = len(samples), samples.device
        draws = torch.rand((5, count), generator=generator, device=device)
        height, width = samples.shape[-2:]
        short = min(height, width)
        side = (self.scale[0] + draws[0] * (self.scale[1] - self.scale[0])) * short
        angle = (2 * draws[1] - 1) * torch.pi / 180 * self.tilt
        gain = 1 + (2 * draws[2] - 1) * self.light
        # affine_grid maps places in the picture, [-1, 1], to places in the patch.
        centre = [
            (2 * draws[i] - 1) * (1 - side / length).clamp_min(0) for i, length in ((3, width), (4, height))
        ]
        cos, sin = angle.cos(), angle.sin()
        rows = []
        for toward_x, toward_y in ((cos, sin), (-sin, cos)):
            across, down = toward_x * width / side, toward_y * height / side
            rows.append(torch.stack([across, down, -(across * centre[0] + down * centre[1])], dim=1))
        theta = torch.stack(rows, dim=1)
        grid = functional.affine_grid(theta, [count, 1, height, width], align_corners=False)
        inside = (grid.abs() <= 1).all(dim=-1)[:, None]
        printed = (patch[None] * gain.view(-1, 1, 1, 1)).clamp(0, 1)
        shown = functional.grid_sample(printed, grid, padding_mode="border", align_corners=False)
        return torch.where(inside, shown, samples)


@dataclass(frozen=True)
class PrintedPatch:
    """Sign ascent of the mean goal over batches and over placements (expectation over transformation).

    Attributes:
        placement: how the print is seen.
        step_size: in units of the domain's full scale.
        smoothness: weight of the total variation that is taken off the goal; a printer and a camera's resize
            keep coarse content only.
    """

    placement: Placement = Placement()
    step_size: float = 2 / 255
    smoothness: float = 0.0

    def __call__(
        self,
        start: Tensor,
        batches: Iterable[tuple[Tensor, Goal]],
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Make a patch.

        Args:
            start: (C, h, h) in [0, 1], such as noise.
            batches: samples (B, C, H, W) in [0, 1] and their goals, to be maximised; one step each.
            generator: of the placements.

        Returns:
            (C, h, h) in [0, 1]; `placement.show` puts it into pictures.
        """
        patch = start.clone()
        for samples, goal in batches:
            patch.requires_grad_(True)
            with torch.enable_grad():
                shown = self.placement.show(patch, samples, generator)
                value = goal(shown, torch.arange(len(samples), device=samples.device)).mean()
                (gradient,) = torch.autograd.grad(value - self.smoothness * _variation(patch), patch)
            patch = (patch.detach() + self.step_size * gradient.sign()).clamp(0, 1)
        return patch


def _variation(patch: Tensor) -> Tensor:
    return patch.diff(dim=-1).abs().mean() + patch.diff(dim=-2).abs().mean()
