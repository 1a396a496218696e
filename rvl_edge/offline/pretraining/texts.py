# SPDX-License-Identifier: Apache-2.0
"""The text side of a stage: learned in the first, a locked table of embeddings after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from rvl_edge.offline.towers import TextEncoder
from rvl_edge.text import Tokenizer
from rvl_edge.types import FloatArray


class TextSide(Protocol):
    """Embeddings of captions."""

    def embed(self, index: Tensor) -> Tensor:
        """Captions at `index`, (K,) int64 -> (K, D), unit norm."""


class LearnedText:
    """Captions through a text encoder that is being trained.

    Args:
        encoder: the tower.
        ids: (N, context) int64, all captions.
    """

    def __init__(self, encoder: TextEncoder, ids: Tensor) -> None:
        self._encoder = encoder
        self._ids = ids

    def embed(self, index: Tensor) -> Tensor:
        """See `TextSide`."""
        ids = self._ids[index]
        used = (
            int(ids.argmax(dim=1).max()) + 1
        )  # attention is causal: what follows the last END changes nothing
        return self._encoder.encode(ids[:, :used])


class LockedText:
    """Captions embedded once.

    Args:
        table: (N, D), unit norm, all captions.
    """

    def __init__(self, table: Tensor) -> None:
        self._table = table

    def embed(self, index: Tensor) -> Tensor:
        """See `TextSide`."""
        return self._table[index]


class TextReader:
    """Any text -> unit vectors, with a tower in torch; for anchors while training.

    Args:
        encoder: the tower.
        tokenizer: its tokenizer.
    """

    def __init__(self, encoder: TextEncoder, tokenizer: Tokenizer) -> None:
        self._encoder = encoder
        self._tokenizer = tokenizer

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts; returns (N, D) float32, rows of unit norm."""
        self._encoder.eval()
        device = self._encoder.text_projection.weight.device
        ids = torch.from_numpy(self._tokenizer(texts)).split(512)
        found = torch.cat([self._encoder.encode(part.to(device)) for part in ids])
        return np.asarray(found.cpu().numpy(), np.float32)
