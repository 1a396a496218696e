# SPDX-License-Identifier: Apache-2.0
"""LanguageBind's towers at any size."""

from __future__ import annotations

from rvl_edge.offline.towers.card import EncoderCard, TextCard, named_card
from rvl_edge.offline.towers.checkpoint import open_checkpoint, save_checkpoint
from rvl_edge.offline.towers.encoders import Encoder, TextEncoder

__all__ = [
    "Encoder",
    "EncoderCard",
    "TextCard",
    "TextEncoder",
    "named_card",
    "open_checkpoint",
    "save_checkpoint",
]
