# SPDX-License-Identifier: Apache-2.0
"""Typing errors that hurt most: LEAF's character attack (arXiv:2506.03355, section 3), batched."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rvl_edge.offline.hardening.attacks.text.interface import Read, TextGoal, first_largest

ALPHABET = ("", *string.ascii_lowercase, " ", *string.ascii_uppercase, *string.digits, *string.punctuation)
"""What an edit may put in; the empty string deletes."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


@dataclass(frozen=True)
class CharacterEdits:
    """A random search in two stages: for each edit first the best place, then the best character there.

    A text of n characters has 2n + 1 places: its characters, which are replaced or deleted, and the gaps
    between, where one is put in. Places are compared with a blank put there (a blank that stands there is
    deleted). A word of `words` that was not in the text must not come into it; LEAF's code asks for more, one
    such word less after every edit.

    Attributes:
        edits: Levenshtein distance to the original, at most.
        tries: rho, how many places and how many characters are tried; with enough of them, all.
        alphabet: what an edit may put in.
        words: lower case words that a typing error must not spell; without them there is no such rule.
    """

    edits: int = 1
    tries: int = 50
    alphabet: tuple[str, ...] = field(default=ALPHABET, repr=False)
    words: frozenset[str] = field(default=frozenset(), repr=False)

    @torch.no_grad()
    def __call__(
        self, texts: Sequence[str], read: Read, goal: TextGoal, generator: torch.Generator | None = None
    ) -> list[str]:
        """See `TextAttack`."""
        found = list(texts)
        for _ in range(self.edits):
            places = [self._drawn(2 * len(text) + 1, generator) for text in found]
            blanks = [
                [edited(text, place, " ") for place in own] for text, own in zip(found, places, strict=True)
            ]
            chosen, _ = self._best(texts, blanks, read, goal)
            mistyped = [
                [
                    text,
                    *(edited(text, own[best], each) for each in self._characters(generator)),
                ]
                for text, own, best in zip(found, places, chosen, strict=True)
            ]
            _, found = self._best(texts, mistyped, read, goal)
        return found

    def _characters(self, generator: torch.Generator | None) -> list[str]:
        return [self.alphabet[each] for each in self._drawn(len(self.alphabet), generator)]

    def _drawn(self, count: int, generator: torch.Generator | None) -> list[int]:
        device = "cpu" if generator is None else generator.device
        order: Tensor = torch.randperm(count, generator=generator, device=device)[: self.tries]
        return order.tolist()

    def _best(
        self, originals: Sequence[str], trials: list[list[str]], read: Read, goal: TextGoal
    ) -> tuple[list[int], list[str]]:
        """The trial with the largest goal of each text; the original stands for trials against the rule."""
        valid = [
            [each if self._obeys(original, each) else original for each in own]
            for original, own in zip(originals, trials, strict=True)
        ]
        features = read([each for own in valid for each in own])
        counts = torch.tensor([len(own) for own in valid])
        rows = torch.arange(len(valid)).repeat_interleave(counts)
        values = goal(features, rows.to(features.device)).cpu().split(counts.tolist())
        chosen = [first_largest(each) for each in values]
        return chosen, [own[best] for own, best in zip(valid, chosen, strict=True)]

    def _obeys(self, original: str, text: str) -> bool:
        return self._known(text) <= self._known(original)

    def _known(self, text: str) -> frozenset[str]:
        return self.words.intersection(_WORD.findall(text.lower()))


def edited(text: str, place: int, character: str) -> str:
    """One edit at a place below `2 len(text) + 1`: odd ones are characters, even ones the gaps before them.

    A character that stands there already is deleted instead, so that every edit of a character is one.
    """
    at, within = divmod(place, 2)
    if within and text[at] == character:
        character = ""
    return text[:at] + character + text[at + within :]
