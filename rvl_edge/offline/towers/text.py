# SPDX-License-Identifier: Apache-2.0
"""CLIP's text tower: causal attention, pooled where the text ends."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rvl_edge.offline.towers.attention import Block, Layers
from rvl_edge.offline.towers.card import TextConfig


class TextEmbeddings(nn.Module):
    """Ids -> token vectors with their positions."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, ids: Tensor) -> Tensor:
        """Map (B, N) int64 to (B, N, width)."""
        out: Tensor = self.token_embedding(ids) + self.position_embedding.weight[: ids.shape[1]]
        return out


class TextTower(nn.Module):
    """Ids -> one vector a text, before the projection (Radford et al. 2021, section 2.4)."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.embeddings = TextEmbeddings(config)
        self.encoder = Layers(Block(config, causal=True) for _ in range(config.num_hidden_layers))
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, ids: Tensor) -> Tensor:
        """Map (B, N) int64 to (B, width), the token at the first of the largest ids: the text's end."""
        tokens = self.final_layer_norm(self.encoder(self.embeddings(ids)))
        pooled: Tensor = tokens[torch.arange(ids.shape[0], device=ids.device), ids.argmax(dim=1)]
        return pooled
