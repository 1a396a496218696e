# SPDX-License-Identifier: Apache-2.0
"""Tower and projection together: a sample or a text -> a unit vector of the shared space."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from rvl_edge.offline.towers.card import EncoderCard, TextCard
from rvl_edge.offline.towers.text import TextTower
from rvl_edge.offline.towers.vision import VisionTower

_FIRST_LOGIT_SCALE = math.log(1 / 0.07)  # CLIP's temperature at the start of training


class Encoder(nn.Module):
    """One sense: `vision_model`, `visual_projection` and the learned `logit_scale` (a natural logarithm)."""

    def __init__(self, card: EncoderCard) -> None:
        super().__init__()
        self.card = card
        self.vision_model = VisionTower(card.vision_config)
        self.visual_projection = nn.Linear(card.vision_config.hidden_size, card.projection_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(_FIRST_LOGIT_SCALE))

    def features(self, pixels: Tensor) -> Tensor:
        """Map (B, 3, H, W), or (B, 3, T, H, W) for clips, to (B, projection_dim), not normalised."""
        out: Tensor = self.visual_projection(self.vision_model(pixels))
        return out

    def encode(self, pixels: Tensor) -> Tensor:
        """`features` of unit norm."""
        return functional.normalize(self.features(pixels).float(), dim=-1)

    forward = encode


class TextEncoder(nn.Module):
    """Text: `text_model` and `text_projection`."""

    def __init__(self, card: TextCard) -> None:
        super().__init__()
        self.card = card
        self.text_model = TextTower(card.text_config)
        self.text_projection = nn.Linear(card.text_config.hidden_size, card.projection_dim, bias=False)

    def features(self, ids: Tensor) -> Tensor:
        """Map (B, N) int64 ids, each row ending in the vocabulary's last id, to (B, projection_dim)."""
        out: Tensor = self.text_projection(self.text_model(ids))
        return out

    def encode(self, ids: Tensor) -> Tensor:
        """`features` of unit norm."""
        return functional.normalize(self.features(ids).float(), dim=-1)

    forward = encode
