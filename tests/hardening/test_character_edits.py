# SPDX-License-Identifier: Apache-2.0
"""Typing errors against an enumeration of all of them, and the budget they must keep."""

from __future__ import annotations

import pytest
import torch
from small_text import small_reader

from rvl_edge.offline.hardening.attacks.text.characters import ALPHABET, CharacterEdits, edited
from rvl_edge.offline.hardening.attacks.text.interface import TextGoal, squared_distance
from rvl_edge.offline.hardening.attacks.text.reading import Reader

TEXTS = ("a cat", "on it", "dog ")
LETTERS = ("", "a", "t", "x", " ")
EVERYTHING = 1000


@pytest.fixture(scope="module")
def reader() -> Reader:
    return small_reader()


def _distance(first: str, second: str) -> int:
    """Levenshtein's, by its recurrence."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return row[-1]


def _neighbours(text: str, letters: tuple[str, ...]) -> set[str]:
    """All texts one edit away, by taking the text apart in every way."""
    found = set()
    for cut in range(len(text) + 1):
        head, tail = text[:cut], text[cut:]
        found |= {head + letter + tail for letter in letters}
        if tail:
            found |= {head + letter + tail[1:] for letter in letters}
    return found | {text}


def _value(reader: Reader, goal: TextGoal, row: int, text: str) -> float:
    return float(goal(reader([text]), torch.tensor([row]))[0])


def test_places_and_letters_reach_every_neighbour_and_no_other_text() -> None:
    for text in (*TEXTS, ""):
        reached = {edited(text, place, each) for place in range(2 * len(text) + 1) for each in LETTERS}
        assert reached | {text} == _neighbours(text, LETTERS)
        assert all(_distance(text, each) <= 1 for each in reached)


@pytest.mark.parametrize("edits", [1, 2, 3])
def test_the_edit_distance_is_within_the_budget(reader: Reader, edits: int) -> None:
    attack = CharacterEdits(edits, tries=4)
    found = attack(TEXTS, reader, squared_distance(reader(TEXTS)), torch.Generator().manual_seed(edits))
    assert all(_distance(*each) <= edits for each in zip(TEXTS, found, strict=True))
    assert found != list(TEXTS)


def test_with_all_tries_it_is_the_search_in_two_stages(reader: Reader) -> None:
    """Found by loops over all places, then all letters; and it is no better than the best neighbour."""
    goal = squared_distance(reader(TEXTS))
    found = CharacterEdits(tries=EVERYTHING, alphabet=LETTERS)(TEXTS, reader, goal)
    for row, text in enumerate(TEXTS):
        place = max(
            range(2 * len(text) + 1), key=lambda each: _value(reader, goal, row, edited(text, each, " "))
        )
        expected = max(
            (_value(reader, goal, row, edited(text, place, letter)) for letter in LETTERS), default=0.0
        )
        mine = _value(reader, goal, row, found[row])
        assert mine == pytest.approx(expected, rel=1e-4)
        assert mine <= max(_value(reader, goal, row, each) for each in _neighbours(text, LETTERS)) * (
            1 + 1e-4
        )


def test_where_one_place_decides_nothing_in_reach_is_worse() -> None:
    """A goal that counts x's and missing blanks: both stages lead to the true maximum."""

    def read(texts: list[str]) -> torch.Tensor:
        return torch.tensor([[text.count("x"), text.count(" ")] for text in texts], dtype=torch.float32)

    def goal(features: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return features[:, 0] + 0.5 * features[:, 1]

    found = CharacterEdits(tries=EVERYTHING, alphabet=LETTERS)(TEXTS, read, goal)
    for text, mine in zip(TEXTS, found, strict=True):
        values = goal(read([mine, *_neighbours(text, LETTERS)]), torch.zeros(1))
        assert values[0] == values.max()


def test_no_listed_word_comes_into_a_text(reader: Reader) -> None:
    words = frozenset({"a", "at", "cat", "act", "it", "i", "on", "o", "in", "dog", "do"})
    spelled = []
    for seed in range(8):
        attack = CharacterEdits(tries=3, alphabet=("", " ", "a", "i", "n"), words=words)
        goal, generator = squared_distance(reader(TEXTS)), torch.Generator().manual_seed(seed)
        for before, after in zip(TEXTS, attack(TEXTS, reader, goal, generator), strict=True):
            assert words & set(after.split()) <= words & set(before.split())
            spelled.append(after)
    assert set(spelled) - set(TEXTS)


def test_a_text_that_only_words_could_change_stays(reader: Reader) -> None:
    words = frozenset({"ab", "ba", "b"})
    attack = CharacterEdits(tries=EVERYTHING, alphabet=("b",), words=words)
    assert attack(["a"], reader, squared_distance(reader(["a"]))) == ["a"]


def test_one_seed_gives_one_text(reader: Reader) -> None:
    goal, attack = squared_distance(reader(TEXTS)), CharacterEdits(tries=3, alphabet=ALPHABET)
    runs = [attack(TEXTS, reader, goal, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
