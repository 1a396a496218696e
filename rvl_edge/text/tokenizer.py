# SPDX-License-Identifier: Apache-2.0
"""CLIP byte-pair encoding, read from the bundle's tokenizer.json."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tokenizers

from rvl_edge.errors import BundleError

START, END = "<|startoftext|>", "<|endoftext|>"


class Tokenizer:
    """Text -> token ids, framed as CLIP does: START, the ids, END, and END again up to the full length.

    The text tower pools at the first END, so what follows it changes nothing. A text that is too long loses
    its tail and keeps its END.

    Args:
        content: bytes of a Hugging Face `tokenizers` JSON file.
        context_length: ids a text.

    Raises:
        BundleError: the bytes are no tokenizer, or lack the START and END tokens.
    """

    def __init__(self, content: bytes, context_length: int) -> None:
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(content.decode())
        except Exception as error:  # the Rust side raises bare Exception
            raise BundleError(
                "the tokenizer cannot be read", got=error, fix="export the bundle again"
            ) from None
        start, end = (self._tokenizer.token_to_id(token) for token in (START, END))
        if start is None or end is None:
            raise BundleError("the tokenizer lacks CLIP's frame", expected=f"tokens {START} and {END}")
        self._start, self._end = start, end
        self._length = context_length
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True  # a text that spells END is text, not the end

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """Encode texts; returns (N, context_length) int64."""
        ids = np.full((len(texts), self._length), self._end, np.int64)
        ids[:, 0] = self._start
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        for row, encoding in zip(ids, encodings, strict=True):
            kept = encoding.ids[: self._length - 2]
            row[1 : 1 + len(kept)] = kept
        return ids
