# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import statistics

import pytest

from rvl_edge.benchmarking import Pace, Times, take_turns


def test_summary_of_known_times() -> None:
    times = Times.of([float(each) for each in range(1, 102)])
    assert (times.runs, times.min, times.median, times.p90, times.p99, times.max) == (
        101,
        1,
        51,
        91,
        100,
        101,
    )
    odd = [3.0, 1.0, 2.0, 9.0]
    assert Times.of(odd).median == statistics.median(odd)


def test_every_round_runs_every_step_once_and_the_first_turn_wanders() -> None:
    ran: list[str] = []
    steps = [lambda name=name: ran.append(name) for name in "abc"]
    times = take_turns(steps, Pace(rounds=6))
    rounds = ["".join(ran[at : at + 3]) for at in range(0, len(ran), 3)]
    assert [each.runs for each in times] == [6, 6, 6]
    assert rounds[-6:] == ["abc", "bca", "cab", "abc", "bca", "cab"]
    assert len(rounds) > 6  # warm-up


@pytest.mark.parametrize(
    ("pace", "rounds", "seconds", "done"),
    [
        (Pace(seconds=1), 4, 9.0, False),  # too few to tell anything
        (Pace(seconds=1), 5, 0.9, False),
        (Pace(seconds=1), 5, 1.0, True),
        (Pace(seconds=1, rounds=2), 1, 9.0, False),
        (Pace(seconds=1, rounds=2), 2, 0.0, True),
    ],
)
def test_when_it_is_enough(pace: Pace, rounds: int, seconds: float, done: bool) -> None:
    assert pace.done(rounds, seconds) is done
