# SPDX-License-Identifier: Apache-2.0
"""Word substitution against an exhaustive search, and the budget it must keep."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from small_text import STOP_WORDS, SUBSTITUTES, TABLE, TEXTS, changed_words, small_reader

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.attacks.text.interface import TextGoal, away_from, divergence, kl
from rvl_edge.offline.hardening.attacks.text.reading import Reader
from rvl_edge.offline.hardening.attacks.text.substitution import WordSubstitution
from rvl_edge.offline.hardening.attacks.text.words import Sentence, read_lexicon

WORDS = Path(__file__).parents[2] / "calibration" / "words" / "english.yaml"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return small_reader()


def _goal(reader: Reader) -> TextGoal:
    generator = torch.Generator().manual_seed(5)
    return away_from(torch.randn(len(TEXTS), 24, generator=generator))


def _value(reader: Reader, goal: TextGoal, row: int, text: str) -> float:
    return float(goal(reader([text]), torch.tensor([row]))[0])


def _with(text: str, place: int, word: str) -> str:
    return str(Sentence.of(text).having(place, word))


def _moves(text: str) -> list[tuple[int, str]]:
    """Every allowed replacement, written out."""
    return [
        (place, new)
        for place, old in enumerate(Sentence.of(text).words)
        if old.lower() not in STOP_WORDS
        for new in TABLE.get(old.lower(), ())
        if new not in STOP_WORDS
    ]


def test_a_sentence_is_its_words_and_all_between() -> None:
    sentence = Sentence.of("  The cat's hard-hat, isn't 2 red. ")
    assert sentence.words == ("The", "cat's", "hard-hat", "isn't", "2", "red")
    assert str(sentence) == "  The cat's hard-hat, isn't 2 red. "
    assert str(sentence.having(1, "dog")) == "  The dog hard-hat, isn't 2 red. "
    assert Sentence.of("").words == ()


def test_texts_are_read_alike_alone_and_together(reader: Reader) -> None:
    """Rows are cut at the longest text of a call, and each text is embedded once."""
    together = reader([*TEXTS, TEXTS[0]])
    alone = torch.cat([reader([text]) for text in (*TEXTS, TEXTS[0])])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(together[-1], together[0], rtol=0, atol=0)
    ids = torch.from_numpy(reader.tokenizer(TEXTS))
    torch.testing.assert_close(together[:-1], reader.encoder.features(ids))


@pytest.mark.parametrize("words", [1, 2, 3])
def test_no_more_words_change_than_allowed_and_stop_words_never(reader: Reader, words: int) -> None:
    attack = WordSubstitution(SUBSTITUTES, STOP_WORDS, words)
    found = attack(TEXTS, reader, _goal(reader))
    assert found[2:] == list(TEXTS[2:])  # nothing there can be replaced
    for before, after in zip(TEXTS, found, strict=True):
        moves = changed_words(before, after)
        assert len(moves) <= words
        for old, new in moves:
            (was,), (now,) = Sentence.of(old).words, Sentence.of(new).words
            assert was.lower() not in STOP_WORDS
            assert now in TABLE[was.lower()]
            assert now not in STOP_WORDS
            assert old.replace(was, "") == new.replace(now, "")  # punctuation stays
    assert any(changed_words(*each) for each in zip(TEXTS, found, strict=True))


def test_one_word_is_the_best_substitute_of_the_first_that_has_one(reader: Reader) -> None:
    """The search, one text and one word at a time."""
    goal, attack = _goal(reader), WordSubstitution(SUBSTITUTES, STOP_WORDS)
    found = attack(TEXTS, reader, goal)
    for row, text in enumerate(TEXTS):
        clean = torch.nn.functional.normalize(reader([text]), dim=-1)

        def importance(place: int, text: str = text, clean: torch.Tensor = clean) -> float:
            without = torch.nn.functional.normalize(reader([_with(text, place, "")]), dim=-1)
            return -float(kl(clean, without)[0])

        expected = text
        for place in sorted({place for place, _ in _moves(text)}, key=importance):
            forms = [text, *(_with(text, at, new) for at, new in _moves(text) if at == place)]
            expected = max(forms, key=lambda form: _value(reader, goal, row, form))
            if expected != text:
                break
        assert found[row] == expected


def test_it_does_at_least_as_well_as_chance_and_no_better_than_all_tries(reader: Reader) -> None:
    goal, attack = _goal(reader), WordSubstitution(SUBSTITUTES, STOP_WORDS)
    found = attack(TEXTS, reader, goal)
    drawn, ours, chance, best = random.Random(0), 0.0, 0.0, 0.0
    for row, text in enumerate(TEXTS[:2]):
        values = [_value(reader, goal, row, _with(text, *move)) for move in _moves(text)]
        mine, clean = _value(reader, goal, row, found[row]), _value(reader, goal, row, text)
        assert clean - 1e-6 <= mine <= max(values) + 1e-6
        ours, chance, best = ours + mine, chance + drawn.choice(values), best + max(values)
    assert ours > chance


def test_more_words_hurt_no_less(reader: Reader) -> None:
    goal = _goal(reader)
    rows = torch.arange(len(TEXTS))
    values = [
        goal(reader(WordSubstitution(SUBSTITUTES, STOP_WORDS, words)(TEXTS, reader, goal)), rows)
        for words in (0, 1, 2, 3)
    ]
    for fewer, more in pairwise(values):
        assert (more >= fewer - 1e-6).all()
    assert values[-1].sum() > values[0].sum()


def test_texts_do_not_disturb_each_other(reader: Reader) -> None:
    clean = reader(TEXTS)
    attack = WordSubstitution(SUBSTITUTES, STOP_WORDS, importance="distance", mask="[UNK]")
    together = attack(TEXTS, reader, divergence(clean))
    alone = [attack([text], reader, divergence(clean[row : row + 1]))[0] for row, text in enumerate(TEXTS)]
    assert together == alone


def test_the_shipped_lexicon_replaces_no_stop_word_and_puts_none_in() -> None:
    lexicon = read_lexicon(WORDS)
    assert not lexicon.stop_words & lexicon.substitutes.keys()
    for word, substitutes in lexicon.substitutes.items():
        assert word == word.lower()
        assert word not in substitutes
        assert not lexicon.stop_words.intersection(substitutes)
        assert len(set(substitutes)) == len(substitutes)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("stop_words: [a]\nsubstitutes: {cat: [two words]}", "is no lexicon"),
        ("substitutes: {}", "is no lexicon"),
        ("{", "is no YAML"),
        (None, "cannot be read"),
    ],
)
def test_a_lexicon_that_cannot_be_used_is_refused(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    path = tmp_path / "words.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=complaint):
        read_lexicon(path)
