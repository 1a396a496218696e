# SPDX-License-Identifier: Apache-2.0
"""A random text tower of milliseconds that reads bytes, and words that may stand for others."""

from __future__ import annotations

from collections.abc import Sequence

from small_cards import randomised, text_card
from tiny_bundle import byte_tokenizer

from rvl_edge.offline.hardening.attacks.text.candidates import Substitutes
from rvl_edge.offline.hardening.attacks.text.reading import Reader
from rvl_edge.offline.towers import TextEncoder
from rvl_edge.text import Tokenizer

STOP_WORDS = frozenset({"a", "of", "the"})
TABLE = {
    "photo": ("picture", "image", "the", "shot"),
    "cat": ("kitten", "feline", "tom"),
    "red": ("scarlet", "crimson"),
    "a": ("one",),
    "of": ("from",),
}
TEXTS = ("a photo of a cat", "The red photo, of a red cat!", "of a", "dogs only")
SUBSTITUTES = Substitutes(TABLE)


def small_reader(seed: int = 0) -> Reader:
    content, vocabulary = byte_tokenizer()
    card = text_card(vocab_size=vocabulary, max_position_embeddings=48)
    encoder = randomised(TextEncoder(card), seed).requires_grad_(False)
    return Reader(encoder, Tokenizer(content, 48))


def changed_words(before: str, after: str) -> list[tuple[str, str]]:
    pairs: Sequence[tuple[str, str]] = list(zip(before.split(), after.split(), strict=True))
    return [(old, new) for old, new in pairs if old != new]
