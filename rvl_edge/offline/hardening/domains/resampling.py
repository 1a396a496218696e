# SPDX-License-Identifier: Apache-2.0
"""The robot's resampling in torch: the same weights, with gradients."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from rvl_edge.preprocess.resample import Axis, blocks
from rvl_edge.preprocess.spec import PictureSpec


def resample_centre(pictures: Tensor, spec: PictureSpec) -> Tensor:
    """Resize the short side to `spec.size` and keep the centre square; see `preprocess.resample`.

    Args:
        pictures: (..., H, W) float32.
        spec: size and kernel.

    Returns:
        (..., size, size), in float32 under autocast too.
    """
    height, width = pictures.shape[-2:]
    short = min(height, width)
    rows, down = _weights(Axis.of(height, short, spec), pictures.device)
    columns, across = _weights(Axis.of(width, short, spec), pictures.device)
    with torch.autocast(pictures.device.type, enabled=False):
        return rows @ pictures[..., down, across].float() @ columns.T


@lru_cache(maxsize=32)
def _weights(axis: Axis, device: torch.device) -> tuple[Tensor, slice]:
    """One matrix for a whole axis, (kept, touched), and which pixels it touches."""
    (block,) = blocks(axis, axis.kept)
    with torch.inference_mode(False):  # kept for callers that want gradients
        return torch.from_numpy(block.weights.copy()).to(device), block.taps
