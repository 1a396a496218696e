# SPDX-License-Identifier: Apache-2.0
"""The vision tower of every sense but text: a CLIP ViT, with attention over frames for video."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rvl_edge.errors import BadShape
from rvl_edge.offline.towers.attention import Block, Layers
from rvl_edge.offline.towers.card import VisionConfig
from rvl_edge.offline.towers.patch_dropout import drop_patches
from rvl_edge.offline.towers.temporal import SpatioTemporalBlock


class VisionEmbeddings(nn.Module):
    """Picture -> class token and patch tokens with their positions."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        rows, columns = config.grid
        width, patch = config.hidden_size, config.patch_size
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.patch_embedding: nn.Conv2d | nn.Conv3d = nn.Conv2d(3, width, patch, patch, bias=False)
        self.position_embedding = nn.Embedding(rows * columns + 1, width)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map (B, 3, H, W) to (B, 1 + patches, width)."""
        patches = self.patch_embedding(pictures).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        return torch.cat([first, patches], dim=1) + self.position_embedding.weight


class FrameEmbeddings(VisionEmbeddings):
    """LanguageBind's video V1.5: every frame of a clip has a class token of its own.

    The patch kernel has an axis for time, of length one: still one picture at a time.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(config)
        width, patch = config.hidden_size, config.patch_size
        self.class_embedding = nn.Parameter(torch.zeros(config.num_frames, width))
        self.patch_embedding = nn.Conv3d(3, width, (1, patch, patch), (1, patch, patch), bias=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map (B * T, 3, H, W), frames of one clip side by side, to (B * T, 1 + patches, width)."""
        patches = self.patch_embedding(pictures[:, :, None]).flatten(2).transpose(1, 2)
        frames, width = self.class_embedding.shape
        clips = patches.view(-1, frames, *patches.shape[1:])
        first = self.class_embedding.to(patches.dtype)[:, None].expand(clips.shape[0], frames, 1, width)
        return (torch.cat([first, clips], dim=2) + self.position_embedding.weight).flatten(0, 1)


class VisionTower(nn.Module):
    """Pictures or clips -> one vector each, before the projection (Dosovitskiy et al. 2021)."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.patch_dropout = config.patch_dropout
        self.frames = config.num_frames
        self.columns = config.grid[1]
        width, eps = config.hidden_size, config.layer_norm_eps
        self.embeddings = (FrameEmbeddings if config.clip_type == "vl_new" else VisionEmbeddings)(config)
        self.pre_layrnorm = nn.LayerNorm(width, eps=eps)  # misspelt in every CLIP checkpoint
        kind = SpatioTemporalBlock if config.add_time_attn else Block
        self.encoder = Layers(kind(config) for _ in range(config.num_hidden_layers))
        self.post_layernorm = nn.LayerNorm(width, eps=eps)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map (B, 3, H, W), or (B, 3, T, H, W) for clips, to (B, width).

        Raises:
            BadShape: another number of frames than the config's; attention would mix the clips of a batch.
        """
        frames = pixels.shape[2] if pixels.ndim == 5 else 1
        if frames != self.frames:
            raise BadShape("not as many frames as the tower looks at", got=frames, expected=self.frames)
        if pixels.ndim == 5:
            pixels = pixels.transpose(1, 2).flatten(0, 1)
        tokens = self.embeddings(pixels)
        if self.training and self.patch_dropout > 0:
            tokens = drop_patches(tokens, self.patch_dropout, self.frames, self.columns)
        tokens = self.encoder(self.pre_layrnorm(tokens), asking=1)  # the class token
        pooled: Tensor = self.post_layernorm(tokens[:, 0])
        return pooled.view(-1, self.frames, pooled.shape[-1]).mean(dim=1)
