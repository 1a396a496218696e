# SPDX-License-Identifier: Apache-2.0
"""Where words come from that may stand for another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Candidates(Protocol):
    """Proposes substitutes."""

    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[list[Sequence[str]]]:
        """For every word of every sentence the words that may take its place, best first."""


@dataclass(frozen=True)
class Substitutes:
    """A given list, the same in every context.

    Attributes:
        table: for a word, lower case, its substitutes, best first.
        top: at most so many a word.
    """

    table: Mapping[str, Sequence[str]] = field(repr=False)
    top: int = 10

    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[list[Sequence[str]]]:
        """See `Candidates`."""
        return [[self.table.get(word.lower(), ())[: self.top] for word in words] for words in sentences]
