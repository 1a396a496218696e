# SPDX-License-Identifier: Apache-2.0
"""Framing, padding and truncation of token ids."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tiny_bundle as maker
from hypothesis import given
from hypothesis import strategies as st

from rvl_edge.errors import BundleError
from rvl_edge.text import Tokenizer

CONTENT, SIZE = maker.byte_tokenizer()
START, END = SIZE - 2, SIZE - 1
TOKENIZER = Tokenizer(CONTENT, maker.CONTEXT)


def test_frame_and_padding() -> None:
    (ids,) = TOKENIZER(["ab"])
    vocabulary = json.loads(CONTENT)["model"]["vocab"]
    assert ids.tolist() == [START, vocabulary["a"], vocabulary["b</w>"], *[END] * (maker.CONTEXT - 3)]


@pytest.mark.parametrize("length", [0, 1, 13, 14, 15, 16, 17, 500])
def test_long_text_keeps_its_end(length: int) -> None:
    (ids,) = TOKENIZER(["x" * length])
    kept = min(length, maker.CONTEXT - 2)
    assert ids[0] == START
    assert (ids[1 : 1 + kept] < START).all()
    assert (ids[1 + kept :] == END).all()


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_text_gives_ids_that_end_and_do_not_depend_on_the_batch(texts: list[str]) -> None:
    ids = TOKENIZER(texts)
    assert ids.shape == (len(texts), maker.CONTEXT)
    assert ids.dtype == np.int64
    assert (ids[:, -1] == END).all()
    assert ((ids >= 0) & (ids < SIZE)).all()
    for text, row in zip(texts, ids, strict=True):
        np.testing.assert_array_equal(TOKENIZER([text])[0], row)


def test_a_text_that_spells_the_end_does_not_end() -> None:
    (ids,) = TOKENIZER(["<|endoftext|>"])
    assert (ids[1:13] < START).all()


def test_truncation_and_padding_set_in_the_file_do_not_count() -> None:
    import tokenizers

    tampered = tokenizers.Tokenizer.from_str(CONTENT.decode())
    tampered.enable_truncation(3)
    tampered.enable_padding(pad_id=7, length=40)
    np.testing.assert_array_equal(
        Tokenizer(tampered.to_str().encode(), 16)(["abcdef"]), TOKENIZER(["abcdef"])
    )


def test_content_that_is_no_tokenizer() -> None:
    unframed = CONTENT.replace(b"<|endoftext|>", b"<|stop|>")
    for content in (b"", b"{}", b"\xff", unframed):
        with pytest.raises(BundleError, match="tokenizer"):
            Tokenizer(content, 16)
