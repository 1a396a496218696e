# SPDX-License-Identifier: Apache-2.0
"""How many views and classes a latency budget buys, learnt from what the last ones took."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

_REMEMBERED = 9  # frames; their median ignores four that were held up
_HEADROOM = 0.9  # a richer effort must fit into this share of the budget, or the choice would flap
_SHORTEST = 16  # classes; aligning fewer saves next to nothing


@dataclass(frozen=True)
class Effort:
    """What to spend on a sample: so many views, aligned with so many classes."""

    views: int
    classes: int


class Budget:
    """Chooses the effort whose encoding and refinement fit into a time.

    Time is taken to be `encode` for each view and `refine` for each view and class. Both are medians over the
    last frames, whatever effort those had, so every frame teaches what any other effort would take, and a
    machine that is free again is noticed without trying. Where a batch costs less than its views one by one,
    as on a GPU, a poor effort overrates the next richer one a little, and the choice climbs back in steps.

    Views go last: classes are halved first, since those far down the first view's ranking hardly ever win.
    The choice depends on the times reported and on nothing else. Calls must come one at a time.

    Args:
        budget_ms: for encoding and refinement of one sample, in milliseconds.
        most: the effort without a budget.
    """

    def __init__(self, budget_ms: float, most: Effort) -> None:
        self._budget = budget_ms
        self._efforts = _efforts(most)
        self._chosen = 0
        self._encode: deque[float] = deque(maxlen=_REMEMBERED)
        self._refine: deque[float] = deque(maxlen=_REMEMBERED)

    def choose(self) -> Effort:
        """The richest effort that fits, the poorest where none does; the full one before any was timed."""
        if self._encode:
            self._chosen = next(
                (place for place in range(len(self._efforts)) if self._fits(place)), len(self._efforts) - 1
            )
        return self._efforts[self._chosen]

    def report(self, effort: Effort, encode_ms: float, refine_ms: float) -> None:
        """What an effort took, in milliseconds."""
        self._encode.append(encode_ms / effort.views)
        self._refine.append(refine_ms / (effort.views * effort.classes))

    def _fits(self, place: int) -> bool:
        effort = self._efforts[place]
        predicted = effort.views * (median(self._encode) + effort.classes * median(self._refine))
        return predicted <= self._budget * (_HEADROOM if place < self._chosen else 1)


def _efforts(most: Effort) -> tuple[Effort, ...]:
    """From the richest to one view of the shortest list."""
    shortlists = [most.classes]
    while shortlists[-1] >= 2 * _SHORTEST:
        shortlists.append(shortlists[-1] // 2)
    return tuple(Effort(views, classes) for views in range(most.views, 0, -1) for classes in shortlists)
