# SPDX-License-Identifier: Apache-2.0
"""PatchDropout: train on a part of the patches (Liu et al. 2023; FLIP, Li et al. 2023)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def drop_patches(tokens: Tensor, rate: float, frames: int, columns: int) -> Tensor:
    """Keep the class token and about (1 - rate) of the patches, the same ones in all frames of a clip.

    Pictures keep scattered patches. So does every second clip; the others keep a block, as motion shows
    between neighbours, of which scattered patches have few.

    Args:
        tokens: (B * frames, 1 + N, width).
        rate: part that is dropped, in [0, 1).
        frames: frames a clip.
        columns: patches in a row of the picture.

    Returns:
        (B * frames, 1 + kept, width), kept >= 1.
    """
    rows, count, width = tokens.shape
    clips, patches = rows // frames, count - 1
    kept = max(1, round(patches * (1 - rate)))
    index = torch.rand(clips, patches, device=tokens.device).argsort(dim=1)
    if frames > 1:
        block = _blocks(clips, patches // columns, columns, kept).to(tokens.device)
        kept = block.shape[1]
        index = torch.where(torch.rand(clips, 1, device=tokens.device) < 0.5, block, index[:, :kept])
    index = index[:, :kept].repeat_interleave(frames, dim=0)[..., None].expand(-1, -1, width)
    return torch.cat([tokens[:, :1], tokens[:, 1:].gather(1, index)], dim=1)


def _blocks(clips: int, rows: int, columns: int, kept: int) -> Tensor:
    """Indices (clips, about kept) of a rectangle of patches somewhere in each picture."""
    height = min(rows, kept, max(1, int(math.sqrt(kept * rows / columns))))
    width = min(columns, kept // height)
    top = torch.randint(0, rows - height + 1, (clips, 1, 1))
    left = torch.randint(0, columns - width + 1, (clips, 1, 1))
    index = (top + torch.arange(height)[:, None]) * columns + left + torch.arange(width)
    return index.flatten(1)
