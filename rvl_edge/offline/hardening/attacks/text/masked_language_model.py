# SPDX-License-Identifier: Apache-2.0
"""Substitutes that a masked language model finds likely in the place of a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rvl_edge.errors import CheckpointError, ConfigError

_PIECES = 4  # substitutes of each piece of a word that is several
_WHOLES = 24  # words made of such
_INSIDE = "##"  # WordPiece's mark of a piece that goes on with a word
_MOST_PIECES = 5  # words of more get no substitutes


@dataclass(frozen=True, eq=False)
class MaskedLanguageModel:
    """BERT-attack's candidates, which fit their context but need not mean the same.

    The sentence is read as it is, no word masked, in one pass for all sentences. A word of several pieces
    gets the likeliest combinations of its pieces' substitutes by the sum of their scores, where the published
    code ranks them by a further pass over the pieces alone.

    Attributes:
        model: `transformers.BertForMaskedLM` or its like.
        tokenizer: the fast WordPiece tokenizer of the same checkpoint.
        top: substitutes a piece.
        threshold: least score (logit, as published) of a substitute for a word of one piece.
        max_length: pieces read of a sentence; words behind get no substitutes.
    """

    model: Any
    tokenizer: Any
    top: int = 10
    threshold: float = 0.3
    max_length: int = 30

    @classmethod
    def open(cls, folder: Path, **settings: Any) -> MaskedLanguageModel:
        """Load a checkpoint in Hugging Face's layout from the disk.

        Raises:
            ConfigError: `transformers` is not installed.
            CheckpointError: the folder cannot be read.
        """
        try:
            from transformers import AutoModelForMaskedLM, AutoTokenizer
        except ImportError as error:
            fix = "pip install 'rvl-edge-sdk[language]'"
            raise ConfigError("masked language models need transformers", got=error, fix=fix) from None
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModelForMaskedLM.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{folder} is no masked language model", got=error) from None
        return cls(model.eval(), tokenizer, **settings)

    @torch.no_grad()
    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[list[Sequence[str]]]:
        """See `Candidates`."""
        found: list[list[Sequence[str]]] = [[() for _ in words] for words in sentences]
        rows = [row for row, words in enumerate(sentences) if words]
        if not rows:
            return found
        encoded = self.tokenizer(
            [list(sentences[row]) for row in rows],
            is_split_into_words=True,
            padding=True,
            truncation=True,
            max_length=self.max_length,
            return_tensors="pt",
        )
        logits = self.model(**encoded.to(self.model.device)).logits
        scores, ids = (each.cpu() for each in logits.topk(self.top, dim=-1))
        for place, row in enumerate(rows):
            owners = encoded.word_ids(place)
            for word in {each for each in owners if each is not None}:
                at = [piece for piece, owner in enumerate(owners) if owner == word]
                found[row][word] = self._words(scores[place, at], ids[place, at])
        return found

    def _words(self, scores: Tensor, ids: Tensor) -> tuple[str, ...]:
        """Words from substitutes (pieces, top) of a word's pieces."""
        if len(ids) == 1:
            likely = ids[0][scores[0] >= self.threshold]
            return tuple(
                each for each in self.tokenizer.convert_ids_to_tokens(likely.tolist()) if each.isalpha()
            )
        if len(ids) > _MOST_PIECES:
            return ()
        pieces = [
            _fitting(self.tokenizer.convert_ids_to_tokens(ids[number].tolist()), scores[number], number > 0)
            for number in range(len(ids))
        ]
        wholes = sorted(product(*pieces), key=lambda whole: -sum(score for _, score in whole))
        return tuple("".join(piece for piece, _ in whole) for whole in wholes[:_WHOLES])


def _fitting(tokens: Sequence[str], scores: Tensor, inside: bool) -> list[tuple[str, float]]:
    """The first few pieces that can begin a word, or that can go on with one."""
    bare = [
        (token.removeprefix(_INSIDE), score)
        for token, score in zip(tokens, scores.tolist(), strict=True)
        if token.startswith(_INSIDE) is inside
    ]
    return [each for each in bare if each[0].isalpha()][:_PIECES]
