# SPDX-License-Identifier: Apache-2.0
"""Labels of different senses that name the same thing."""

from __future__ import annotations

from collections.abc import Iterable

from rvl_edge.bundle.manifest import LabelSet


class Concepts:
    """Maps labels to concepts, so that one sense's `car` is another's `automobile`.

    Two labels of different sets are one concept where either set lists one as another name of the other. A
    phrase that two labels share as another name joins nothing: a `vehicle` may be a car or a truck.

    Args:
        sets: whose labels and synonyms to go by; none leaves every label a concept of its own.
    """

    def __init__(self, sets: Iterable[LabelSet] = ()) -> None:
        names: dict[str, set[str]] = {}
        for each in sets:
            for label in each.labels:
                known = names.setdefault(_key(label), set())
                known.update(_key(other) for other in each.synonyms.get(label, ()))
        self._roots: dict[str, str] = {}
        for label, others in names.items():
            for other in others & names.keys():
                self._join(label, other)
        owners: dict[str, set[str]] = {}
        for label, others in names.items():
            for other in others - names.keys():
                owners.setdefault(other, set()).add(self.of(label))
        self._roots |= {other: owner for other, (owner, *more) in owners.items() if not more}

    def of(self, label: str) -> str:
        """The concept of a label, by a name of its own; a label that no set knows is its own concept."""
        key = _key(label)
        while key in self._roots:
            key = self._roots[key]
        return key

    def _join(self, first: str, second: str) -> None:
        kept, joined = sorted((self.of(first), self.of(second)))
        if kept != joined:
            self._roots[joined] = kept


def _key(label: str) -> str:
    return label.strip().casefold()
