# SPDX-License-Identifier: Apache-2.0
"""The text tower's cache: same answers with it, bounded, each text run once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import tiny_bundle as maker

from rvl_edge.backends.onnxruntime import OnnxRuntimeSession
from rvl_edge.text import TextEncoder, Tokenizer
from rvl_edge.types import FloatArray

CONTENT, SIZE = maker.byte_tokenizer()


class Counted(OnnxRuntimeSession):
    """Counts the rows it was given."""

    rows = 0

    def run(self, batch: npt.NDArray[np.int64]) -> FloatArray:
        self.rows += len(batch)
        return super().run(batch)


@pytest.fixture
def session() -> Counted:
    return Counted(maker.text_graph(SIZE, seed=9), name="text", dim=maker.DIM, threads=1)


def test_cache_changes_no_answer_and_saves_runs(session: Counted) -> None:
    encoder = TextEncoder(Tokenizer(CONTENT, maker.CONTEXT), session)
    texts = ["dog", "cat", "dog", "a longer text than the others"]
    first = encoder(texts)
    assert session.rows == 3
    np.testing.assert_array_equal(encoder(texts), first)
    assert session.rows == 3
    np.testing.assert_array_equal(first[0], first[2])
    single = TextEncoder(Tokenizer(CONTENT, maker.CONTEXT), session)
    np.testing.assert_allclose(np.concatenate([single([text]) for text in texts]), first, atol=1e-6)


def test_cache_is_bounded_and_forgets_the_oldest(session: Counted) -> None:
    encoder = TextEncoder(Tokenizer(CONTENT, maker.CONTEXT), session, remembered=2)
    encoder(["a", "b"])
    encoder(["a"])  # now b is the oldest
    encoder(["c"])
    session.rows = 0
    encoder(["a", "c"])
    assert session.rows == 0
    encoder(["b"])
    assert session.rows == 1


def test_more_texts_than_a_batch_or_the_cache_holds(session: Counted) -> None:
    encoder = TextEncoder(Tokenizer(CONTENT, maker.CONTEXT), session, remembered=10)
    texts = [f"label {number}" for number in range(200)]
    embedded = encoder(texts)
    assert session.rows == 200
    np.testing.assert_allclose(embedded[[0, 199]], encoder([texts[0], texts[199]]), atol=1e-6)


def test_callers_cannot_spoil_the_cache(session: Counted) -> None:
    encoder = TextEncoder(Tokenizer(CONTENT, maker.CONTEXT), session)
    first = encoder(["dog"])
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(encoder(["dog"]), kept)
