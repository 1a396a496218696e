# SPDX-License-Identifier: Apache-2.0
"""The vision tower of every sense but text: a CLIP ViT, with attention over frames for video."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rvl_edge.offline.towers.attention import Attention, Layers, Mlp
from rvl_edge.offline.towers.card import VisionConfig
from rvl_edge.offline.towers.patch_dropout import drop_patches
from rvl_edge.offline.towers.temporal import TemporalMixer


class SpatialLayer(nn.Module):
    """Pre-norm transformer block over the tokens of one picture."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config.hidden_size, config.num_attention_heads)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size)
        self.mlp = Mlp(config.hidden_size, config.intermediate_size)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, N, width) to (B, N, width)."""
        tokens = tokens + self.self_attn(self.layer_norm1(tokens))
        out: Tensor = tokens + self.mlp(self.layer_norm2(tokens))
        return out


class SpatioTemporalLayer(TemporalMixer):
    """`SpatialLayer` after attention over the frames."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(config.hidden_size, config.num_attention_heads, config.num_frames)
        self.self_attn = Attention(config.hidden_size, config.num_attention_heads)
        self.layer_norm1 = nn.LayerNorm(config.hidden_size)
        self.mlp = Mlp(config.hidden_size, config.intermediate_size)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B * T, N, width) to (B * T, N, width)."""
        tokens = self.mix_frames(tokens)
        tokens = tokens + self.self_attn(self.layer_norm1(tokens))
        out: Tensor = tokens + self.mlp(self.layer_norm2(tokens))
        return out


class VisionEmbeddings(nn.Module):
    """Picture -> class token and patch tokens with their positions."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        rows, columns = config.grid
        self.class_embedding = nn.Parameter(torch.zeros(config.hidden_size))
        self.patch_embedding = nn.Conv2d(
            3, config.hidden_size, config.patch_size, config.patch_size, bias=False
        )
        self.position_embedding = nn.Embedding(rows * columns + 1, config.hidden_size)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map (B, 3, H, W) to (B, 1 + patches, width)."""
        patches = self.patch_embedding(pictures).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        return torch.cat([first, patches], dim=1) + self.position_embedding.weight


class VisionTower(nn.Module):
    """Pictures or clips -> one vector each, before the projection (Dosovitskiy et al. 2021)."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.patch_dropout = config.patch_dropout
        self.frames = config.num_frames
        self.columns = config.grid[1]
        self.embeddings = VisionEmbeddings(config)
        self.pre_layrnorm = nn.LayerNorm(config.hidden_size)  # misspelt in every CLIP checkpoint
        kind = SpatioTemporalLayer if config.add_time_attn else SpatialLayer
        self.encoder = Layers(kind(config) for _ in range(config.num_hidden_layers))
        self.post_layernorm = nn.LayerNorm(config.hidden_size)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map (B, 3, H, W), or (B, 3, T, H, W) for clips, to (B, width)."""
        if pixels.ndim == 5:
            pixels = pixels.transpose(1, 2).flatten(0, 1)
        tokens = self.embeddings(pixels)
        if self.training and self.patch_dropout > 0:
            tokens = drop_patches(tokens, self.patch_dropout, self.frames, self.columns)
        tokens = self.encoder(self.pre_layrnorm(tokens))
        pooled: Tensor = self.post_layernorm(tokens[:, 0])
        return pooled.view(-1, self.frames, pooled.shape[-1]).mean(dim=1)
