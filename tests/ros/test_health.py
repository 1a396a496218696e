# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rvl_edge_ros.health", reason="needs ROS 2; see docs/ros.md")

from rvl_edge_ros.health import StallWatch, State, judge
from rvl_edge_ros.meter import Counts, Meter, Outcome, Reading, Recent

from rvl_edge import Finding, Timing, Trust

pytestmark = pytest.mark.ros

COVERED = Recent(0.1, (Finding("blank", 0.1, "nothing to see"),))
GOOD = Reading(Counts(received=9, published=9), Outcome.PUBLISHED, silence=0.1)


TIMING = Timing(preprocess=1.0, encode=2.0, refine=0.0, classify=0.0)


@pytest.mark.parametrize(
    ("reading", "busy", "expected"),
    [
        (GOOD, 0.0, State.OK),
        (Reading(), 0.0, State.WAITING),
        (replace(GOOD, silence=2.1), 0.0, State.STALE),
        (replace(GOOD, missing="window has 1 of 16 frames"), 0.0, State.WAITING),
        (replace(GOOD, outcome=Outcome.NONE), 0.0, State.WAITING),
        (replace(GOOD, outcome=Outcome.REJECTED, last_error="no"), 0.0, State.REJECTED),
        (replace(GOOD, outcome=Outcome.FAILED, last_error="no"), 0.0, State.FAILING),
        (replace(GOOD, outcome=Outcome.REJECTED, last_error="no", missing="window"), 0.0, State.REJECTED),
        (replace(GOOD, outcome=Outcome.REJECTED, silence=2.1), 0.0, State.STALE),
        (replace(GOOD, outcome=Outcome.FAILED, last_error="no", silence=2.1), 0.0, State.STALE),
        (replace(GOOD, silence=2.1), 5.1, State.STALLED),
        (replace(GOOD, recent=Recent(0.3)), 0.0, State.OK),
        (replace(GOOD, recent=COVERED), 0.0, State.DISTRUSTED),
        (replace(GOOD, recent=COVERED, silence=2.1), 0.0, State.STALE),
    ],
)
def test_the_most_specific_cause_is_named(reading: Reading, busy: float, expected: State) -> None:
    state, words = judge(reading, busy=busy, stale_after=2.0, inference_timeout=5.0, trust_warn=0.3)
    assert state is expected
    assert words


def test_a_sense_that_waits_behind_a_stalled_one_is_stalled_and_says_behind_which() -> None:
    state, words = judge(
        GOOD, busy=5.1, behind="image", stale_after=2.0, inference_timeout=5.0, trust_warn=0.3
    )
    assert (state, words) == (State.STALLED, "waits behind image: an inference has been running for 5.1 s")


def test_distrust_says_why() -> None:
    _, words = judge(
        replace(GOOD, recent=COVERED), busy=0.0, stale_after=2.0, inference_timeout=5.0, trust_warn=0.3
    )
    assert words == "trust 0.10: blank: nothing to see"


def test_a_stall_is_counted_while_it_lasts_and_forgotten_when_it_ends() -> None:
    watch = StallWatch(interval=0.5)
    stalls = (False, True, True, False, True)
    assert [watch.read(stalled=stalled) for stalled in stalls] == [0, 0.5, 1, 0, 0.5]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rates_are_events_a_second_and_fall_when_nothing_comes() -> None:
    clock = Clock()
    meter = Meter(clock)
    for _ in range(31):
        meter.received()
        clock.now += 0.1
    assert meter.read().input_rate == pytest.approx(10)
    clock.now += 2.9
    assert meter.read().input_rate == pytest.approx(5, rel=0.05)
    assert meter.read().silence == pytest.approx(3.0)
    assert meter.read().output_rate == 0


def test_percentiles_are_numpys_and_unknown_before_the_first_result() -> None:
    meter = Meter()
    assert math.isnan(meter.read().total.p50)
    totals = np.random.default_rng(0).exponential(0.01, 200)
    for total in totals:
        meter.published(TIMING, None, float(total))
    reading = meter.read()
    assert (reading.preprocess.p99, reading.encode.p50) == (1.0, 2.0)
    assert reading.total.p99 == pytest.approx(1e3 * np.percentile(totals, 99))


def trusted(meter: Meter, value: float | None, detail: str = "") -> None:
    findings = (Finding("noise", value, detail),) if value is not None and detail else ()
    meter.published(TIMING, None if value is None else Trust(value, findings), 0.01)


def test_trust_is_the_median_of_the_newest_results_with_the_worst_ones_reasons() -> None:
    clock = Clock()
    meter = Meter(clock)
    assert math.isnan(meter.read().recent.trust)
    trusted(meter, 0.0, "long ago")
    clock.now += 5.0
    for value, detail in ((0.9, "a little"), (0.1, "much"), (1.0, "")):
        trusted(meter, value, detail)
    recent = meter.read().recent
    assert recent.trust == pytest.approx(0.9)
    assert [each.detail for each in recent.findings] == ["much"]


def test_the_newest_result_is_judged_by_itself_when_it_is_old() -> None:
    clock = Clock()
    meter = Meter(clock)
    trusted(meter, 1.0)
    trusted(meter, 0.2, "dark")
    clock.now += 60.0
    assert meter.read().recent.trust == pytest.approx(0.2)


def test_without_monitors_nothing_is_said_about_trust() -> None:
    meter = Meter()
    trusted(meter, 0.2, "dark")
    trusted(meter, None)
    assert math.isnan(meter.read().recent.trust)
    assert meter.read().recent.findings == ()


def test_memory_is_bounded_and_counters_are_not() -> None:
    meter = Meter()
    for _ in range(5000):
        meter.received()
        meter.dropped()
    assert meter.read().counts == Counts(received=5000, dropped=5000)
    assert len(meter._arrivals) < 1000
