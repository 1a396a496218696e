# SPDX-License-Identifier: Apache-2.0
"""Words replaced where it hurts most: BERT-attack's search (Li et al. 2020, algorithm 1), batched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch

from rvl_edge.offline.hardening.attacks.text.candidates import Candidates
from rvl_edge.offline.hardening.attacks.text.interface import (
    Read,
    TextGoal,
    divergence,
    first_largest,
    squared_distance,
)
from rvl_edge.offline.hardening.attacks.text.words import Sentence

_IMPORTANCE = {"divergence": divergence, "distance": squared_distance}


@dataclass(frozen=True)
class WordSubstitution:
    """The most important words take turns; each becomes the substitute that raises the goal most.

    A word's importance is how far the text's feature moves without it. Stop words, and words that have no
    substitute or none that raises the goal, stay. It is MMCoA's and SGA's text attack with `words=1` and ten
    candidates a word. All texts are searched in one go: one call of the text tower for importance, one for
    each turn.

    Attributes:
        candidates: where substitutes come from.
        stop_words: neither replaced nor put in; lower case.
        words: at most so many are replaced.
        importance: measured as KL of the features' softmax, as MMCoA and SGA do, or as squared distance.
        mask: what a word is replaced with while its importance is measured; nothing leaves it out.
    """

    candidates: Candidates
    stop_words: frozenset[str] = field(default=frozenset(), repr=False)
    words: int = 1
    importance: Literal["divergence", "distance"] = "divergence"
    mask: str = ""

    @torch.no_grad()
    def __call__(
        self, texts: Sequence[str], read: Read, goal: TextGoal, generator: torch.Generator | None = None
    ) -> list[str]:
        """See `TextAttack`; nothing is drawn."""
        del generator
        found = [Sentence.of(text) for text in texts]
        proposed = [self._allowed(*each) for each in self._proposed(found)]
        left = self._places(texts, found, proposed, read)
        changes = [0] * len(texts)
        while True:
            turns = [
                (row, left[row].pop(0))
                for row in range(len(texts))
                if left[row] and changes[row] < self.words
            ]
            if not turns:
                return [str(sentence) for sentence in found]
            for row, place, word in _best(turns, found, proposed, read, goal):
                changes[row] += word != found[row].words[place]
                found[row] = found[row].having(place, word)

    def _proposed(self, sentences: list[Sentence]) -> list[tuple[Sentence, list[Sequence[str]]]]:
        return list(zip(sentences, self.candidates([each.words for each in sentences]), strict=True))

    def _allowed(self, sentence: Sentence, proposed: list[Sequence[str]]) -> list[list[str]]:
        """Substitutes of each word; none of a stop word's."""
        return [
            []
            if word.lower() in self.stop_words
            else [each for each in substitutes if each.lower() not in {word.lower(), *self.stop_words}]
            for word, substitutes in zip(sentence.words, proposed, strict=True)
        ]

    def _places(
        self, texts: Sequence[str], sentences: list[Sentence], proposed: list[list[list[str]]], read: Read
    ) -> list[list[int]]:
        """The places of replaceable words of each text, the most important first."""
        places = [[place for place, each in enumerate(rows) if each] for rows in proposed]
        flat = [(row, place) for row, own in enumerate(places) for place in own]
        if not flat:
            return places
        without = [str(sentences[row].having(place, self.mask)) for row, place in flat]
        features = read([*texts, *without])
        rows = torch.tensor([row for row, _ in flat], device=features.device)
        moved = _IMPORTANCE[self.importance](features[: len(texts)])(features[len(texts) :], rows)
        important = dict(zip(flat, moved.tolist(), strict=True))
        order: list[list[int]] = [[] for _ in texts]
        for row, place in sorted(flat, key=lambda each: -important[each]):
            order[row].append(place)
        return order


def _best(
    turns: list[tuple[int, int]],
    sentences: list[Sentence],
    proposed: list[list[list[str]]],
    read: Read,
    goal: TextGoal,
) -> list[tuple[int, int, str]]:
    """For each (row, place) the word with the largest goal; what stands there wins a draw."""
    words = [[sentences[row].words[place], *proposed[row][place]] for row, place in turns]
    trials = [
        str(sentences[row].having(place, word))
        for (row, place), forms in zip(turns, words, strict=True)
        for word in forms
    ]
    features = read(trials)
    counts = torch.tensor([len(forms) for forms in words])
    rows = torch.tensor([row for row, _ in turns]).repeat_interleave(counts)
    values = goal(features, rows.to(features.device)).cpu().split(counts.tolist())
    return [
        (row, place, forms[first_largest(own)])
        for (row, place), forms, own in zip(turns, words, values, strict=True)
    ]
