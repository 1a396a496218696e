# SPDX-License-Identifier: Apache-2.0
"""Text -> unit embeddings, remembering the most recent ones."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from rvl_edge.backends.session import Session
from rvl_edge.text.tokenizer import Tokenizer
from rvl_edge.types import FloatArray

_BATCH = 64  # bounds the memory of one run; larger ones are no faster a text on a CPU


class TextEncoder:
    """The text tower with its tokenizer and a bounded cache (least recently used goes first).

    Args:
        tokenizer: text -> ids.
        session: ids -> embeddings.
        remembered: texts kept.
    """

    def __init__(self, tokenizer: Tokenizer, session: Session, remembered: int = 4096) -> None:
        self._tokenizer = tokenizer
        self._session = session
        self._remembered = remembered
        self._cache: OrderedDict[str, FloatArray] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts; returns (N, D) float32, rows of unit norm.

        Safe to call from several threads; ten thousand labels in one do not hold up a single text in another.
        """
        with self._lock:
            found = {text: self._cache[text] for text in texts if text in self._cache}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            found.update(zip(batch, self._session.run(self._tokenizer(batch)), strict=True))
        with self._lock:
            self._remember(found)
        return np.stack([found[text] for text in texts])

    def close(self) -> None:
        """Free the graph."""
        self._session.close()
        with self._lock:
            self._cache.clear()

    def _remember(self, found: dict[str, FloatArray]) -> None:
        for text, embedding in found.items():
            self._cache[text] = embedding
            self._cache.move_to_end(text)
        while len(self._cache) > self._remembered:
            self._cache.popitem(last=False)
