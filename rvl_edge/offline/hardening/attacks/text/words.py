# SPDX-License-Identifier: Apache-2.0
"""Sentences as words that can be exchanged, and what is known of words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rvl_edge._validation import complaints
from rvl_edge.errors import ConfigError

_WORD = re.compile(r"(\w+(?:['’-]\w+)*)")


@dataclass(frozen=True)
class Sentence:
    """A text cut at its words.

    Attributes:
        pieces: blanks and punctuation at even places, words at odd ones; joined they are the text.
    """

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Sentence:
        """Cut a text."""
        return cls(tuple(_WORD.split(text)))

    @property
    def words(self) -> tuple[str, ...]:
        """The words, in order."""
        return self.pieces[1::2]

    def having(self, place: int, word: str) -> Sentence:
        """The sentence with another word at a place."""
        at = 2 * place + 1
        return Sentence((*self.pieces[:at], word, *self.pieces[at + 1 :]))

    def __str__(self) -> str:
        return "".join(self.pieces)


_Word = Annotated[str, Field(pattern=r"^\w+(['’-]\w+)*$")]


class Lexicon(BaseModel):
    """What may stand for what.

    Attributes:
        stop_words: words that carry grammar, which attacks neither replace nor put in.
        substitutes: for a word, lower case, the ones that may take its place, best first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stop_words: frozenset[_Word]
    substitutes: Mapping[_Word, tuple[_Word, ...]]


def read_lexicon(path: Path) -> Lexicon:
    """Read a lexicon such as `calibration/words/english.yaml`.

    Raises:
        ConfigError: no such file, or one that is no lexicon.
    """
    try:
        return Lexicon.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        fix = "calibration/words/english.yaml of a clone is one; name it by --words, or in the recipe"
        raise ConfigError("the lexicon cannot be read", got=error, fix=fix) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is no YAML", got=error) from None
    except ValidationError as error:
        raise ConfigError(f"{path} is no lexicon", got=complaints(error)) from None
