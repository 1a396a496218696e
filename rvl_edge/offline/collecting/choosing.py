# SPDX-License-Identifier: Apache-2.0
"""Which of many samples to keep: as evenly over time and labels as there are enough of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeVar

import numpy as np

SPANS = 16  # parts of equal length that a recording or a sorted folder is cut into

_T = TypeVar("_T")


@dataclass(frozen=True, order=True)
class Item:
    """One sample that could be kept.

    Attributes:
        source: the recording or folder it is in.
        place: where in it: a file's path below the folder, or nanoseconds of a recording, as text.
        span: which part of the source it lies in, 0 to `SPANS` - 1.
        label: its class, where known.
    """

    source: str
    place: str
    span: int
    label: str | None = None


@dataclass
class _Reservoir:
    """A uniform choice of a stream whose length is not known (Vitter 1985, algorithm R)."""

    size: int
    seen: int = 0
    kept: list[Item] = field(default_factory=list)

    def offer(self, item: Item, random: np.random.Generator) -> None:
        self.seen += 1
        if len(self.kept) < self.size:
            self.kept.append(item)
        elif (at := int(random.integers(self.seen))) < self.size:
            self.kept[at] = item


def choose(items: Iterable[Item], count: int, seed: int) -> tuple[Item, ...]:
    """Choose items, the same ones for the same items and seed.

    Args:
        items: any number of them, each seen once.
        count: at most so many. Labels give in turns, and of each label the spans do, so what is rare is kept
            whole and what is frequent is thinned.
        seed: of all that is random.

    Returns:
        In the order of source and place.
    """
    random = np.random.default_rng(seed)
    labels: dict[str, dict[tuple[str, int], _Reservoir]] = {}
    for item in items:
        spans = labels.setdefault(item.label or "", {})
        spans.setdefault((item.source, item.span), _Reservoir(count)).offer(item, random)
    queues = [
        _in_turns(_shuffled([_shuffled(span.kept, random) for span in spans.values()], random))
        for spans in labels.values()
    ]
    chosen = _in_turns(_shuffled(queues, random))[:count]
    return tuple(sorted(chosen, key=lambda item: (item.source, item.span, item.place)))


def _in_turns(queues: list[list[Item]]) -> list[Item]:
    return [item for turn in zip_longest(*queues) for item in turn if item is not None]


def _shuffled(values: list[_T], random: np.random.Generator) -> list[_T]:
    return [values[at] for at in random.permutation(len(values))]
