# SPDX-License-Identifier: Apache-2.0
"""Timing in turns: each round runs every contender once, so that what disturbs the machine disturbs all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from time import perf_counter

import numpy as np

_WARM_UP = 3  # rounds that are not counted: allocation, caches, clock frequency
_FEWEST = 5  # rounds, however slow


@dataclass(frozen=True)
class Times:
    """Wall times of one contender's runs, in milliseconds. p99 of less than 100 runs is near the maximum."""

    runs: int
    min: float
    median: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Times:
        """Summarise; percentiles are interpolated between neighbours."""
        median, p90, p99 = (float(each) for each in np.percentile(milliseconds, [50, 90, 99]))
        return cls(len(milliseconds), min(milliseconds), median, p90, p99, max(milliseconds))


@dataclass(frozen=True)
class Pace:
    """How long to measure.

    Attributes:
        seconds: rounds go on until this much time has passed, and for five rounds at least.
        rounds: exactly so many instead, if given.
    """

    seconds: float = 10.0
    rounds: int | None = None

    def done(self, rounds: int, seconds: float) -> bool:
        """Whether that was enough."""
        return rounds >= self.rounds if self.rounds else rounds >= _FEWEST and seconds >= self.seconds


def take_turns(steps: Sequence[Callable[[], object]], pace: Pace) -> list[Times]:
    """Time each step alone, in turns; who begins changes from round to round.

    Args:
        steps: one run of each contender.
        pace: how long to go on, warm-up not included.

    Returns:
        One summary a step, in the same order.
    """
    taken: list[list[float]] = [[] for _ in steps]
    for _ in range(_WARM_UP):
        for step in steps:
            step()
    begin = perf_counter()
    for rounds in count():
        if pace.done(rounds, perf_counter() - begin):
            break
        for turn in range(len(steps)):
            at = (rounds + turn) % len(steps)
            start = perf_counter()
            steps[at]()
            taken[at].append(1e3 * (perf_counter() - start))
    return [Times.of(each) for each in taken]
