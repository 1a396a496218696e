# SPDX-License-Identifier: Apache-2.0
"""PatchDropout: train on a random part of the patches (Liu et al. 2023; FLIP, Li et al. 2023)."""

from __future__ import annotations

import torch
from torch import Tensor


def drop_patches(tokens: Tensor, rate: float, frames: int) -> Tensor:
    """Keep the class token and a random (1 - rate) of the patches; all frames of a clip keep the same ones.

    Args:
        tokens: (B * frames, 1 + N, width).
        rate: part that is dropped, in [0, 1).
        frames: frames a clip; tokens must stay aligned in time for attention over frames.

    Returns:
        (B * frames, 1 + kept, width), kept >= 1, the kept patches in random order.
    """
    rows, count, width = tokens.shape
    kept = max(1, round((count - 1) * (1 - rate)))
    order = torch.rand(rows // frames, count - 1, device=tokens.device).argsort(dim=1)[:, :kept]
    index = order.repeat_interleave(frames, dim=0)[..., None].expand(-1, -1, width)
    return torch.cat([tokens[:, :1], tokens[:, 1:].gather(1, index)], dim=1)
