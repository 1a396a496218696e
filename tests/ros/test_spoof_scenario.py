# SPDX-License-Identifier: Apache-2.0
"""A camera that is attacked, frozen and covered, beside honest heat and sound, through the whole node."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from pathlib import Path
from statistics import median
from typing import Any

import pytest

pytest.importorskip("rvl_edge_ros.perception_node", reason="needs ROS 2; see docs/ros.md")

from diagnostic_msgs.msg import DiagnosticStatus
from rig import Rig
from rvl_edge_msgs.msg import AudioChunk, Labels, SceneLabels
from rvl_edge_ros import demo_material, pictures, sounds
from rvl_edge_ros.spoof import car
from sensor_msgs.msg import Image

from rvl_edge import Modality
from rvl_edge.bundle.calibrating import write_monitors
from rvl_edge.bundle.calibration import MonitorEntry
from rvl_edge.bundle.opening import DEFAULT_BUNDLE

pytestmark = pytest.mark.ros
MakeRig = Callable[..., Rig]
CAR = {"automobile", "car"}


@dataclass
class Seen:
    """What came of one act: the camera's results, the scene after them, and the camera's row."""

    labels: list[Labels]
    scene: SceneLabels
    status: DiagnosticStatus

    @property
    def trust(self) -> float:
        return median(each.trust for each in self.labels)

    def probability(self, names: set[str]) -> float:
        """Of some labels in the scene."""
        pairs = zip(self.scene.names, self.scene.probabilities, strict=True)
        return sum(probability for name, probability in pairs if name in names)

    @property
    def weight(self) -> float:
        return next(each.weight for each in self.scene.senses if each.modality == "image")


class Robot:
    """The node on the embedded bundle, with a camera before a car, heat of a car, and a sound."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.heard = {each: rig.listen(Labels, f"{each}/labels") for each in ("image", "thermal", "audio")}
        self._scenes = rig.listen(SceneLabels, "scene/labels")
        heat, sound = Image(), AudioChunk()
        pictures.fill(heat, next(demo_material.heat(9.0, ("car",))).pixels)
        self._show("thermal", rig.stamped(heat))
        sounds.fill(sound, next(demo_material.sounds(5.0)).pixels, demo_material.SOUND_RATE)
        self._show("audio", rig.stamped(sound))

    @property
    def honest(self) -> set[str]:
        """What heat and sound decided, and the car by the camera's own name."""
        return {self.heard[each][-1].decision for each in ("thermal", "audio")} | CAR

    def watch(self, shots: list[Any], level: bytes) -> Seen:
        """Show pictures over and over until the camera's row on /diagnostics has a level."""
        first = len(self.heard["image"])

        def shown() -> DiagnosticStatus | None:
            for shot in shots:
                message = self.rig.stamped(Image())
                pictures.fill(message, shot.pixels)
                self._show("image", message)
            self.rig.until(lambda: self._scenes[-1].header.stamp == message.header.stamp, "its scene")
            row = self.rig.status("image")
            return row if row.level == level else None

        status = self.rig.until(shown, f"level {level!r} of {shots[0].name}")
        return Seen(self.heard["image"][first:], self._scenes[-1], status)

    def _show(self, topic: str, message: Any) -> None:
        count = len(self.heard[topic])
        self.rig.publish(topic, message)
        self.rig.until_heard(self.heard[topic], count + 1)


@pytest.fixture
def calibrated(tmp_path: Path) -> Path:
    """The embedded bundle with one fitted monitor, of the noise in pictures, and the rules."""
    path = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "calibrated"))
    noise = MonitorEntry(
        name="noise",
        samples=400,
        false_alarm_rate=0.01,
        threshold=log(0.0445),  # of full scale, as fitted on CIFAR-10, whose pictures have 0.015
        curve=((log(0.0445), 1.0), (log(0.0493), 0.5), (log(0.0565), 0.2), (log(0.0885), 0.01)),
    )
    write_monitors(path, {Modality.IMAGE: [noise]})
    return path


@pytest.fixture
def robot(make_rig: MakeRig, calibrated: Path) -> Robot:
    never = {f"{sense}__max_age": 600.0 for sense in ("image", "thermal", "audio")}
    rig = make_rig(
        bundle=str(calibrated),
        autostart=True,
        modalities=["image", "thermal", "audio"],
        stale_after=600.0,
        **never,
    )
    rig.node.begin()
    return Robot(rig)


def test_the_scene_follows_the_honest_senses(robot: Robot, acts: dict[str, list[Any]]) -> None:
    honest = robot.watch(acts["honest"], DiagnosticStatus.OK)
    assert {each.names[0] for each in honest.labels} == {"automobile"}
    assert honest.scene.decision in robot.honest
    for act in ("attacked", "honest again", "frozen", "honest again", "covered"):
        if act == "honest again":
            assert robot.watch(acts[act], DiagnosticStatus.OK).weight > 0.5
            continue
        seen = robot.watch(acts[act], DiagnosticStatus.WARN)
        assert seen.trust < 0.5 < honest.trust
        assert seen.weight < 0.5
        assert seen.scene.decision in robot.honest
        assert any(each.monitor in seen.status.message for each in seen.labels[-1].findings)
        if act == "attacked":
            deceived = {each.names[0] for each in seen.labels}
            assert "automobile" not in deceived
            assert seen.probability(CAR) > seen.probability(deceived)
            assert honest.probability(CAR) > honest.probability(deceived)


def test_another_cameras_pictures_contradict_the_other_senses(make_rig: MakeRig) -> None:
    """A stream of a cat in place of the camera's has nothing unusual about it; heat says that it is a car."""
    never = {f"{sense}__max_age": 600.0 for sense in ("image", "thermal")}
    rig = make_rig(
        bundle="",
        autostart=True,
        modalities=["image", "thermal"],
        labels=["car", "cat"],
        trust__monitors=False,
        stale_after=600.0,
        **never,
    )
    rig.node.begin()
    cat = next(demo_material.photographs(1.0)).pixels
    warm = next(demo_material.heat(9.0, ("car",))).pixels
    results = {each: rig.listen(Labels, f"{each}/labels") for each in ("image", "thermal")}
    scenes = rig.listen(SceneLabels, "scene/labels")

    def shown(pixels: Any, level: bytes) -> bool:
        for _ in range(5):
            for topic, shot in (("image", pixels), ("thermal", warm)):
                message = rig.stamped(Image())
                pictures.fill(message, shot)
                count = len(results[topic])
                rig.publish(topic, message)
                rig.until_heard(results[topic], count + 1)
        return rig.status("scene").level == level

    rig.until(lambda: shown(car(), DiagnosticStatus.OK), "agreement")
    assert scenes[-1].decision == "car"
    assert scenes[-1].findings == []
    rig.until(lambda: shown(cat, DiagnosticStatus.WARN), "a conflict on /diagnostics")
    assert results["image"][-1].names[0] == "cat"
    assert "image and thermal keep contradicting each other" in rig.status("scene").message
    assert [each.monitor for each in scenes[-1].findings] == ["consistency"]
    assert all(each.weight < 1 for each in scenes[-1].senses)
    rig.until(lambda: shown(car(), DiagnosticStatus.OK), "agreement again")
