# SPDX-License-Identifier: Apache-2.0
"""Labels of different senses that name the same thing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rvl_edge.bundle.manifest import LabelSet


class Concepts:
    """Maps labels to concepts, so that one sense's `car` is another's `automobile`.

    Two labels of different sets are one concept where either set lists one as another name of the other. Two
    labels of one set never are. A word that stands for two labels of one set joins nothing, be it a label of
    another set or not: a `vehicle` may be a car or a truck.

    Args:
        sets: whose labels and synonyms to go by; none leaves every label a concept of its own.
    """

    def __init__(self, sets: Iterable[LabelSet] = ()) -> None:
        self._homes: dict[str, set[int]] = {}  # of a label, later of a concept: the sets it is in
        names: defaultdict[str, set[str]] = defaultdict(set)
        owners: defaultdict[str, set[str]] = defaultdict(set)
        for place, each in enumerate(sets):
            for label in each.labels:
                self._homes.setdefault(_key(label), set()).add(place)
                for other in each.synonyms.get(label, ()):
                    names[_key(label)].add(_key(other))
                    owners[_key(other)].add(_key(label))
        labels = set(self._homes)
        clear = {word: self._clear(those) for word, those in owners.items()}
        same = {
            label: self._clear({each for each in names[label] if label in clear[each]}) for label in labels
        }
        self._roots: dict[str, str] = {}
        for label in sorted(labels):  # the same concepts in every process, where a chain must break
            for other in sorted(same[label] & labels):
                self._join(label, other)
        for word in owners.keys() - labels:
            concept, *more = {self.of(label) for label in owners[word]}
            if not more:
                self._roots[word] = concept

    def of(self, label: str) -> str:
        """The concept of a label, by a name of its own; a label that no set knows is its own concept."""
        key = _key(label)
        while key in self._roots:
            key = self._roots[key]
        return key

    def _clear(self, words: set[str]) -> set[str]:
        """Those of the words that share no set with another one of them."""
        homes = {each: self._homes.get(each, set()) for each in words}
        return {
            each for each in words if all(homes[each].isdisjoint(homes[other]) for other in words - {each})
        }

    def _join(self, first: str, second: str) -> None:
        kept, joined = sorted((self.of(first), self.of(second)))
        if kept != joined and not self._homes[kept] & self._homes[joined]:
            self._roots[joined] = kept
            self._homes[kept] |= self._homes[joined]


def _key(label: str) -> str:
    return label.strip().casefold()
