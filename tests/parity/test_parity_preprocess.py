# SPDX-License-Identifier: Apache-2.0
"""Preprocessing against golden model inputs of the reference (see `golden.py`)."""

from __future__ import annotations

import numpy as np
import pytest
from golden import read_arrays
from our_side import preprocess
from reference_samples import TEXTS, Sample, samples, thinned

from rvl_edge.offline.towers import EncoderCard, named_card
from rvl_edge.offline.towers.vocabulary import build_tokenizer
from rvl_edge.text.tokenizer import Tokenizer

PICTURES = [(sense, each) for sense in ("image", "thermal", "depth", "video") for each in samples(sense)]


def _difference(sense: str, sample: Sample) -> np.ndarray:
    card = named_card(f"languagebind-{sense}")
    assert isinstance(card, EncoderCard)
    ours, golden = preprocess(sample, card.preprocess), read_arrays("preprocessing")[f"{sense}/{sample.name}"]
    return np.abs(thinned(ours) - golden)


@pytest.mark.parametrize(("sense", "sample"), PICTURES, ids=lambda each: getattr(each, "name", each))
def test_pictures_and_clips_are_resized_as_by_the_reference(sense: str, sample: Sample) -> None:
    assert _difference(sense, sample).max() < 1e-5


@pytest.mark.parametrize("sample", samples("audio"), ids=lambda sample: sample.name)
def test_sounds_are_heard_as_by_the_reference(sample: Sample) -> None:
    difference = _difference("audio", sample)
    # One FFT frequency barely touches mel bin 46: its weight hangs on the last bit of torch's logarithm.
    assert difference.max() < 1e-3
    assert difference.mean() < 1e-5


def test_texts_get_the_reference_tokens() -> None:
    tokenizer = Tokenizer(build_tokenizer().to_str().encode(), 77)
    np.testing.assert_array_equal(tokenizer(TEXTS), read_arrays("text")["ids"])
