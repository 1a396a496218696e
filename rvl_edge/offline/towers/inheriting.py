# SPDX-License-Identifier: Apache-2.0
"""A new sense starts from the image encoder (LanguageBind, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.towers.encoders import Encoder
from rvl_edge.offline.towers.initialisation import still_frames

_PATCHES = "vision_model.embeddings.patch_embedding.weight"
_POSITIONS = "vision_model.embeddings.position_embedding.weight"


def inherit(encoder: Encoder, source: Encoder) -> None:
    """Copy the weights of `source`, resampled where the card's patch or grid is another one.

    Attention over frames, which pictures do not have, starts adding nothing.
    """
    weights = dict(source.state_dict())
    weights[_PATCHES] = _resample_kernel(weights[_PATCHES], encoder.card.vision_config.patch_size)
    weights[_POSITIONS] = _resample_positions(
        weights[_POSITIONS], source.card.vision_config.grid, encoder.card.vision_config.grid
    )
    encoder.load_state_dict({**encoder.state_dict(), **weights})
    still_frames(encoder)


def _resample_kernel(kernel: Tensor, size: int) -> Tensor:
    """Patch kernels (width, 3, p, p) at another size, scaled so that a flat patch gives the same response."""
    before = kernel.shape[-1]
    if before == size:
        return kernel
    resized = functional.interpolate(kernel, (size, size), mode="bicubic", antialias=True)
    resized += kernel.mean(dim=(2, 3), keepdim=True) - resized.mean(dim=(2, 3), keepdim=True)
    return resized * (before / size) ** 2


def _resample_positions(table: Tensor, before: tuple[int, int], after: tuple[int, int]) -> Tensor:
    """Position table (1 + rows * columns, width) on another grid, its class token's row kept."""
    if before == after:
        return table
    grid = table[1:].T.reshape(1, -1, *before)
    resized = functional.interpolate(grid, after, mode="bicubic", antialias=True)
    return torch.cat([table[:1], resized.flatten(2)[0].T])
