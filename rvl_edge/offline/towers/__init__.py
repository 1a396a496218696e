# SPDX-License-Identifier: Apache-2.0
"""LanguageBind's towers at any size."""

from __future__ import annotations

from rvl_edge.offline.towers.card import EncoderCard, TextCard, named_card
from rvl_edge.offline.towers.checkpoint import (
    CheckpointReport,
    inspect_checkpoint,
    open_checkpoint,
    open_encoder,
    open_text,
    save_checkpoint,
    text_fingerprint,
)
from rvl_edge.offline.towers.encoders import Encoder, TextEncoder
from rvl_edge.offline.towers.folder_tokenizer import read_tokenizer

__all__ = [
    "CheckpointReport",
    "Encoder",
    "EncoderCard",
    "TextCard",
    "TextEncoder",
    "inspect_checkpoint",
    "named_card",
    "open_checkpoint",
    "open_encoder",
    "open_text",
    "read_tokenizer",
    "save_checkpoint",
    "text_fingerprint",
]
