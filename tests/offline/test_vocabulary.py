# SPDX-License-Identifier: Apache-2.0
"""The tokenizer against open_clip's, and what a shortened vocabulary promises."""

from __future__ import annotations

import open_clip.tokenizer
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rvl_edge.offline.towers.vocabulary import CLIP_VOCABULARY_SIZE, build_tokenizer

ODD = [
    "a photo of a dog",
    "A PHOTO of a Dog!!!",
    "it's the robot's arm, isn't it? we'll see; I'd've",
    "naïve café Ångström İstanbul ß ½ ²",
    "狗 собака κύων 개 كلب",
    "🐶🐶 emoji 👩‍👩‍👧 flags 🇩🇪",
    "numbers 1234 3.14 1e-5 0x1F",
    "tabs\tand\nnew  lines   and    spaces",
    "...---...///\\\\ @#$%^&*()_+{}|:<>?",
    "antidisestablishmentarianism hippopotomonstrosesquippedaliophobia",
    "",
    " ",
    "x",
    "'s 's 't're",
    "snake_case and kebab-case and CamelCase",
]


@pytest.fixture(scope="module")
def whole() -> Tokenizer:
    return build_tokenizer()


@pytest.fixture(scope="module")
def short() -> Tokenizer:
    return build_tokenizer(8194)


@pytest.mark.parametrize("text", ODD)
def test_the_whole_list_gives_clips_ids(whole: Tokenizer, text: str) -> None:
    reference = open_clip.tokenizer.SimpleTokenizer()
    assert whole.encode(text).ids == reference.encode(text)


def test_the_last_two_ids_frame_a_text(whole: Tokenizer, short: Tokenizer) -> None:
    for tokenizer, size in ((whole, CLIP_VOCABULARY_SIZE), (short, 8194)):
        assert tokenizer.get_vocab_size() == size
        assert tokenizer.token_to_id("<|startoftext|>") == size - 2
        assert tokenizer.token_to_id("<|endoftext|>") == size - 1


@pytest.fixture(scope="module")
def shortest() -> Tokenizer:
    found = build_tokenizer(700)
    found.encode_special_tokens = True  # as the robot reads: a text that spells END is text
    return found


@given(st.text(max_size=40))
def test_a_short_list_still_reads_any_text(shortest: Tokenizer, text: str) -> None:
    ids = shortest.encode(text).ids
    assert all(0 <= index < 698 for index in ids)
    if any(letter.isalnum() for letter in text):
        assert ids


def test_common_words_stay_whole_in_the_short_list(short: Tokenizer) -> None:
    for word in ("dog", "car", "photo", "sound", "video", "camera", "person", "rain"):
        assert len(short.encode(word).ids) == 1, word
    assert len(short.encode("forklift").ids) > 1
