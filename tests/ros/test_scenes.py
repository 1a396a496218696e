# SPDX-License-Identifier: Apache-2.0
"""Fusing in the node: which results count, told by stamps alone, and that a failure costs nothing else."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rvl_edge_ros.scenes", reason="needs ROS 2; see docs/ros.md")

from diagnostic_msgs.msg import DiagnosticStatus
from rvl_edge_msgs.msg import SenseVote
from rvl_edge_ros.health import State
from rvl_edge_ros.params import Settings
from rvl_edge_ros.samples import Sample
from rvl_edge_ros.scene_reports import scene_message, scene_status
from rvl_edge_ros.scenes import SceneReading, Scenes
from std_msgs.msg import Header

from rvl_edge import Bundle, Finding, Label, Modality, Perception, Timing, Trust

pytestmark = pytest.mark.ros

PATIENCE = 60.0
IMAGE, THERMAL, AUDIO = Modality.IMAGE, Modality.THERMAL, Modality.AUDIO
SENSES = (IMAGE, THERMAL, AUDIO)


def seen(modality: Modality, trust: float | None = 1.0, **probabilities: float) -> Perception:
    labels = tuple(Label(name, each) for name, each in sorted(probabilities.items(), key=lambda one: -one[1]))
    found = () if trust in (None, 1.0) else (Finding("blur", trust, "nothing is sharp"),)
    return Perception(
        modality,
        np.ones(4, np.float32) / 2,
        labels,
        1,
        Timing(preprocess=0.0, encode=0.0, refine=0.0, classify=0.0),
        decision=labels[0].name,
        trust=None if trust is None else Trust(trust, found),
    )


class Shown:
    """A scene as it is published."""

    def __init__(self, reading: SceneReading) -> None:
        self.message = scene_message(reading, SENSES, "model@1")
        self.status = scene_status(
            reading, SENSES, "perception", "model@1", states=[State.OK], stale_after=600.0
        )

    def __getitem__(self, modality: Modality) -> SenseVote:
        return next(vote for vote in self.message.senses if vote.modality == modality.value)


class Stage:
    """Scenes under test, which fuse one result at a time."""

    def __init__(self, bundle: Path) -> None:
        self.readings: list[SceneReading] = []
        self.warnings: list[str] = []
        self.broken = False
        self._taken = threading.Semaphore(0)
        self._arrived = 0.0
        self.scenes = Scenes(Bundle.open(bundle), Settings(), publish=self._take, warn=self.warnings.append)

    def show(self, perception: Perception, stamp: float, *, arrived: float | None = None) -> Shown:
        """Fuse a result whose sample was taken at `stamp`, in seconds; they arrive in order, unless said."""
        self._arrived += 1
        end = round(stamp * 1e9)
        arrival = self._arrived if arrived is None else arrived
        self.scenes.put(perception, Sample(Header(), end, end, arrival, lambda _: perception))
        assert self._taken.acquire(timeout=PATIENCE)
        return Shown(self.readings[-1])

    def end(self) -> SceneReading:
        assert self.scenes.stop(PATIENCE)
        return self.scenes.read()

    def _take(self, reading: SceneReading) -> None:
        self.readings.append(reading)
        self._taken.release()
        if self.broken:
            raise OSError("the network is gone")


@pytest.fixture
def stage(tiny_bundle: Path) -> Iterator[Stage]:
    made = Stage(tiny_bundle)
    yield made
    made.scenes.stop(PATIENCE)


def test_trust_weighs_the_senses_and_those_not_heard_yet_are_named(stage: Stage) -> None:
    stage.show(seen(IMAGE, trust=0.02, dog=0.9, car=0.1), 10.0)
    scene = stage.show(seen(THERMAL, trust=None, car=0.9, dog=0.1), 10.1)
    assert scene.message.decision == "car"
    assert scene.message.names == ["car", "dog"]
    assert sum(scene.message.probabilities) == pytest.approx(1, abs=1e-6)
    assert (scene[IMAGE].weight, scene[IMAGE].trust) == pytest.approx((0.02, 0.02))
    assert scene[IMAGE].age == pytest.approx(0.1)
    assert scene[IMAGE].decision == "dog"
    assert scene[THERMAL].weight == 1
    assert math.isnan(scene[THERMAL].trust)
    assert scene[AUDIO].masked == "no result yet"
    assert math.isnan(scene[AUDIO].age)
    assert (scene.message.header.stamp.sec, scene.message.header.stamp.nanosec) == (10, 100_000_000)


def test_a_sense_that_fell_silent_is_left_out_by_its_stamps(stage: Stage) -> None:
    stage.show(seen(THERMAL, car=0.9, dog=0.1), 10.0)
    scene = stage.show(seen(IMAGE, dog=0.9, car=0.1), 10.9)
    assert scene[THERMAL].masked == ""
    scene = stage.show(seen(IMAGE, dog=0.9, car=0.1), 11.1)
    assert scene[THERMAL].masked == "its newest sample is 1.1 s behind"
    assert scene[THERMAL].weight == 0
    np.testing.assert_allclose(scene.message.probabilities, (0.9, 0.1), atol=1e-6)
    assert stage.show(seen(THERMAL, car=0.9, dog=0.1), 11.2)[THERMAL].masked == ""


def test_other_ages_count_from_the_next_result_on(stage: Stage) -> None:
    stage.show(seen(THERMAL, car=0.9, dog=0.1), 10.0)
    stage.scenes.apply(Settings(thermal_max_age=5.0))
    stage.show(seen(THERMAL, car=0.9, dog=0.1), 10.1)
    assert stage.show(seen(IMAGE, dog=0.9, car=0.1), 14.0)[THERMAL].masked == ""


def test_a_slow_senses_results_do_not_make_the_others_look_early(stage: Stage) -> None:
    stage.show(seen(IMAGE, dog=1.0), 12.0, arrived=2.0)
    scene = stage.show(seen(AUDIO, rain=1.0), 9.5, arrived=1.0)
    assert scene.message.header.stamp.sec == 12
    assert scene[IMAGE].age == 0
    assert scene[AUDIO].age == pytest.approx(2.5)


def test_a_clock_that_starts_over_leaves_out_what_was_before(stage: Stage) -> None:
    stage.show(seen(THERMAL, car=1.0), 1000.0)
    stage.show(seen(IMAGE, dog=1.0), 3.0)
    scene = stage.show(seen(AUDIO, rain=1.0), 3.1)
    assert scene[THERMAL].masked == "its newest sample is 996.9 s ahead"
    assert not scene[IMAGE].masked
    assert scene.message.header.stamp.sec == 3
    assert not stage.show(seen(THERMAL, car=1.0), 3.2)[THERMAL].masked


def test_a_sense_that_died_stays_away_when_a_recording_that_began_anew_comes_to_its_last_stamp(
    stage: Stage,
) -> None:
    stage.show(seen(THERMAL, car=1.0), 58.2)
    for stamp in (58.4, 60.0, 0.0, 57.9, 58.2):
        scene = stage.show(seen(IMAGE, dog=1.0), stamp)
    assert scene[THERMAL].masked == "no result yet"
    assert scene.message.names == ["dog"]


def test_a_sense_that_lags_behind_for_good_is_no_clock_that_started_over(stage: Stage) -> None:
    stage.scenes.apply(Settings(image_max_age=5.0, thermal_max_age=5.0))
    for at in range(10):
        scene = stage.show(seen(IMAGE, dog=1.0), 100 + at)
        if at:
            assert not scene[THERMAL].masked
        assert not stage.show(seen(THERMAL, car=1.0), 98.5 + at)[IMAGE].masked


def test_a_scene_that_cannot_go_out_is_counted_and_the_next_one_does(stage: Stage) -> None:
    stage.show(seen(IMAGE, dog=1.0), 10.0)
    stage.broken = True
    for at in range(3):
        stage.show(seen(IMAGE, dog=1.0), 10.1 + at)
    stage.broken = False
    stage.show(seen(IMAGE, dog=1.0), 14.0)
    reading = stage.end()
    assert (reading.published, reading.failed, reading.failing) == (2, 3, False)
    assert stage.warnings == ["scene: OSError: the network is gone"]
    assert "network" in reading.last_error


def test_the_same_failure_after_a_scene_that_went_out_is_warned_of_again(stage: Stage) -> None:
    for at, broken in enumerate((True, False, True, True)):
        stage.broken = broken
        stage.show(seen(IMAGE, dog=1.0), 10.0 + at)
    stage.end()
    assert stage.warnings == ["scene: OSError: the network is gone"] * 2


def test_what_fails_is_an_error_in_the_diagnostics_until_it_works_again(stage: Stage) -> None:
    stage.broken = True
    stage.show(seen(IMAGE, dog=1.0), 10.0)
    row = scene_status(stage.end(), SENSES, "perception", "model@1", states=[State.OK], stale_after=600.0)
    assert row.level == DiagnosticStatus.ERROR
    assert "network" in row.message


@pytest.mark.parametrize(
    ("silence", "states", "level"),
    [
        (1.9, [State.STALE, State.REJECTED], DiagnosticStatus.OK),
        (2.1, [State.STALE, State.REJECTED], DiagnosticStatus.STALE),
        (2.1, [State.STALLED, State.WAITING], DiagnosticStatus.STALE),
        (9.0, [State.STALE, State.OK], DiagnosticStatus.OK),
        (9.0, [State.DISTRUSTED], DiagnosticStatus.OK),
    ],
)
def test_a_scene_is_stale_where_nothing_new_came_and_no_sense_works_at_a_low_rate(
    stage: Stage, silence: float, states: list[State], level: bytes
) -> None:
    stage.show(seen(IMAGE, dog=1.0), 10.0)
    reading = stage.end()
    assert reading.silence >= 0
    later = replace(reading, silence=silence)
    row = scene_status(later, SENSES, "perception", "model@1", states=states, stale_after=2.0)
    assert row.level == level


def test_senses_that_keep_contradicting_each_other_are_reported(stage: Stage) -> None:
    for at in range(100):
        stage.show(seen(IMAGE, trust=0.5, dog=0.98, car=0.02), 10 + 0.1 * at)
        scene = stage.show(seen(THERMAL, car=0.98, dog=0.02), 10.05 + 0.1 * at)
    assert scene.message.decision == "car"
    assert [each.monitor for each in scene.message.findings] == ["consistency"]
    assert scene[IMAGE].weight < scene[IMAGE].trust
    assert scene.status.level == DiagnosticStatus.WARN
    assert "image and thermal" in scene.status.message


def test_where_no_sense_is_trusted_nothing_is_claimed(stage: Stage) -> None:
    scene = stage.show(seen(IMAGE, trust=0.0, dog=1.0), 10.0)
    assert (scene.message.names, scene.message.decision) == ([], "unknown")
    assert scene.status.level == DiagnosticStatus.WARN
