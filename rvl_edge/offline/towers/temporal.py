# SPDX-License-Identifier: Apache-2.0
"""Attention over the frames of a clip, as LanguageBind adds it before each spatial block."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rvl_edge.offline.towers.attention import Attention, Block
from rvl_edge.offline.towers.card import VisionConfig


class SpatioTemporalBlock(Block):
    """Each spatial token attends to itself in the other frames (LanguageBind, Zhu et al. 2024, section 3.1).

    The temporal embedding is added to the residual stream and stays there. A block over the tokens of each
    frame follows, under the names that LanguageBind gives both.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.temporal_embedding = nn.Parameter(torch.zeros(1, config.num_frames, width))
        self.temporal_layer_norm1 = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.temporal_attn = Attention(width, config.num_attention_heads)

    def forward(self, tokens: Tensor, *, asking: int | None = None) -> Tensor:
        """Map (B * T, N, width), frames of one clip side by side, to (B * T, N or asking, width)."""
        return super().forward(self.mix_frames(tokens), asking=asking)

    def mix_frames(self, tokens: Tensor) -> Tensor:
        """The part of `forward` that looks across frames."""
        _, frames, width = self.temporal_embedding.shape
        count = tokens.shape[1]
        over_time = tokens.view(-1, frames, count, width).transpose(1, 2).reshape(-1, frames, width)
        over_time = over_time + self.temporal_embedding
        over_time = over_time + self.temporal_attn(self.temporal_layer_norm1(over_time))
        mixed: Tensor = over_time.view(-1, count, frames, width).transpose(1, 2).reshape(-1, count, width)
        return mixed
