# SPDX-License-Identifier: Apache-2.0
"""The state of one sense: the most specific cause that its meter shows."""

from __future__ import annotations

from enum import IntEnum

from rvl_edge_msgs.msg import SensorHealth

from rvl_edge_ros.meter import Outcome, Reading


class State(IntEnum):
    """As SensorHealth.msg has them."""

    UNAVAILABLE = SensorHealth.UNAVAILABLE
    STALLED = SensorHealth.STALLED
    FAILING = SensorHealth.FAILING
    REJECTED = SensorHealth.REJECTED
    WAITING = SensorHealth.WAITING
    STALE = SensorHealth.STALE
    OK = SensorHealth.OK


def judge(
    reading: Reading, *, busy: float, stale_after: float, inference_timeout: float
) -> tuple[State, str]:
    """The state of a sense whose encoder was loaded, and it in words.

    Args:
        reading: its meter.
        busy: seconds that its inference in work has taken so far; 0 where there is none.
        stale_after: seconds without a message after which it is stale.
        inference_timeout: seconds after which an inference has stalled.
    """
    causes = (
        (busy > inference_timeout, State.STALLED, f"an inference has been running for {busy:.1f} s"),
        (reading.counts.received == 0, State.WAITING, "no message yet"),
        (reading.silence > stale_after, State.STALE, f"no message for {reading.silence:.1f} s"),
        (reading.outcome is Outcome.FAILED, State.FAILING, reading.last_error),
        (reading.outcome is Outcome.REJECTED, State.REJECTED, reading.last_error),
        (bool(reading.missing), State.WAITING, reading.missing),
        (reading.outcome is Outcome.NONE, State.WAITING, "first result in work"),
    )
    return next(((state, words) for holds, state, words in causes if holds), (State.OK, "ok"))
