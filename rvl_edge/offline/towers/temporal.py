# SPDX-License-Identifier: Apache-2.0
"""Attention over the frames of a clip, as LanguageBind adds it before each spatial block."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rvl_edge.offline.towers.attention import Attention


class TemporalMixer(nn.Module):
    """Each spatial token attends to itself in the other frames (LanguageBind, Zhu et al. 2024, section 3.1).

    The temporal embedding is added to the residual stream and stays there. The submodules keep the names that
    LanguageBind gives them inside a layer, so a block that inherits from this one has the checkpoint's keys.
    """

    def __init__(self, width: int, heads: int, frames: int) -> None:
        super().__init__()
        self.temporal_embedding = nn.Parameter(torch.zeros(1, frames, width))
        self.temporal_layer_norm1 = nn.LayerNorm(width)
        self.temporal_attn = Attention(width, heads)

    def mix_frames(self, tokens: Tensor) -> Tensor:
        """Map (B * T, N, width), frames of one clip side by side, to the same shape."""
        _, frames, width = self.temporal_embedding.shape
        count = tokens.shape[1]
        over_time = tokens.view(-1, frames, count, width).transpose(1, 2).reshape(-1, frames, width)
        over_time = over_time + self.temporal_embedding
        over_time = over_time + self.temporal_attn(self.temporal_layer_norm1(over_time))
        mixed: Tensor = over_time.view(-1, count, frames, width).transpose(1, 2).reshape(-1, count, width)
        return mixed
