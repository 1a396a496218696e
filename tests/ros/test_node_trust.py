# SPDX-License-Identifier: Apache-2.0
"""What a running node says about how far it can be believed, and how that is switched."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_bundle import LABELS, SHAPES, add_sentinel, encoder_graph

pytest.importorskip("rvl_edge_ros.perception_node", reason="needs ROS 2; see docs/ros.md")

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.parameter import Parameter
from rig import Rig
from rvl_edge_msgs.msg import Labels, SceneLabels, SensorHealth
from sensor_msgs.msg import Image

from rvl_edge import ColaSettings, Fusion, Modality
from rvl_edge.backends.onnxruntime import OnnxRuntimeSession
from rvl_edge.bundle.calibrating import write_confidence
from rvl_edge.bundle.calibration import ConfidenceEntry
from rvl_edge.types import FloatArray

pytestmark = pytest.mark.ros
MakeRig = Callable[..., Rig]
TEMPLATES = ("a photo of a {}", "one {} seen by a robot")


@pytest.fixture
def cameras(make_rig: MakeRig) -> Rig:
    """An active node with a camera and a thermal imager that never go stale."""
    rig = make_rig(
        autostart=True,
        modalities=["image", "thermal"],
        stale_after=600.0,
        image__max_age=600.0,
        thermal__max_age=600.0,
    )
    rig.node.begin()
    return rig


def show(rig: Rig, heard: list[Labels], message: Image, topic: str = "image") -> Labels:
    """Publish a picture and wait for its result."""
    count = len(heard)
    rig.publish(topic, message)
    rig.until_heard(heard, count + 1)
    return heard[-1]


def set_parameters(rig: Rig, **values: Any) -> Any:
    parameters = [Parameter(name.replace("__", "."), value=value) for name, value in values.items()]
    return rig.node.set_parameters_atomically(parameters)


def votes(scene: SceneLabels) -> dict[str, Any]:
    return {each.modality: each for each in scene.senses}


def test_a_stuck_camera_is_distrusted_with_the_reason_until_it_moves_again(cameras: Rig) -> None:
    labels = cameras.listen(Labels, "image/labels")
    heat = cameras.listen(Labels, "thermal/labels")
    health = cameras.listen(SensorHealth, "image/health")
    scenes = cameras.listen(SceneLabels, "scene/labels")
    assert show(cameras, labels, cameras.picture(seed=1)).trust == 1
    honest = show(cameras, heat, cameras.heat(), "thermal")
    for _ in range(5):
        last = show(cameras, labels, cameras.picture(seed=2))
    assert last.trust == 0
    assert [each.monitor for each in last.findings] == ["frozen"]

    cameras.until(lambda: votes(scenes[-1])["image"].weight == 0, "a scene without the camera")
    scene = scenes[-1]
    assert votes(scene)["thermal"].weight == honest.trust == 1
    assert scene.decision == honest.decision
    assert scene.names == honest.names

    cameras.until(lambda: cameras.values("image")["state"] == "distrusted", "distrust on /diagnostics")
    row = cameras.status("image")
    assert row.level == DiagnosticStatus.WARN
    assert "frozen: the same sample came" in row.message
    assert cameras.status("thermal").level == DiagnosticStatus.OK
    health.clear()
    cameras.until(lambda: health, "its health")
    assert health[-1].state == SensorHealth.DISTRUSTED
    assert health[-1].trust < 0.5
    assert health[-1].findings[0].monitor == "frozen"

    seeds = iter(range(100, 10_000))

    def recovered() -> bool:
        show(cameras, labels, cameras.picture(seed=next(seeds)))
        return cameras.values("image")["state"] == "ok"

    cameras.until(recovered, "trust in a camera that moves again")
    assert labels[-1].trust == 1


def test_the_level_that_warns_is_the_users(cameras: Rig) -> None:
    labels = cameras.listen(Labels, "image/labels")
    for _ in range(9):
        show(cameras, labels, cameras.picture(seed=2))
    assert set_parameters(cameras, trust__warn=0.0).successful
    assert cameras.status("image").level == DiagnosticStatus.OK
    assert cameras.values("image")["trust"] == "0.00"
    assert set_parameters(cameras, trust__warn=0.9).successful
    cameras.until(lambda: cameras.status("image").level == DiagnosticStatus.WARN, "a warning")


def test_monitors_can_be_switched_off_and_on(cameras: Rig) -> None:
    labels = cameras.listen(Labels, "image/labels")
    assert set_parameters(cameras, trust__monitors=False).successful
    for _ in range(5):
        last = show(cameras, labels, cameras.picture(seed=2))
    assert math.isnan(last.trust)
    assert last.findings == []
    assert last.judge_ms == 0
    cameras.until(lambda: cameras.values("image")["trust"] == "n/a", "no trust on /diagnostics")
    assert set_parameters(cameras, trust__monitors=True).successful
    assert show(cameras, labels, cameras.picture(seed=2)).trust == 1
    assert labels[-1].judge_ms > 0


def test_a_sentinel_that_is_switched_on_is_loaded_before_the_answer(
    make_rig: MakeRig, guarded_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(bundle=str(guarded_bundle), autostart=True, modalities=["image"])
    rig.node.begin()
    ran: list[str] = []
    real = OnnxRuntimeSession.run

    def run(session: OnnxRuntimeSession, batch: FloatArray) -> FloatArray:
        ran.append(session._name)
        return real(session, batch)

    monkeypatch.setattr(OnnxRuntimeSession, "run", run)
    assert set_parameters(rig, trust__sentinel=True).successful
    assert ran == ["graphs/image-sentinel.onnx"]
    labels = rig.listen(Labels, "image/labels")
    show(rig, labels, rig.picture(seed=1))
    assert ran == ["graphs/image-sentinel.onnx", "graphs/image.onnx", "graphs/image-sentinel.onnx"]


def test_a_sentinel_that_cannot_be_loaded_is_refused_and_costs_no_sample(
    make_rig: MakeRig, own_bundle: Path
) -> None:
    add_sentinel(own_bundle, encoder_graph(SHAPES[Modality.AUDIO], seed=77))
    rig = make_rig(bundle=str(own_bundle), autostart=True, modalities=["image"])
    rig.node.begin()
    before = rig.node._settings
    refused = set_parameters(rig, trust__sentinel=True, use_cola=True)
    assert not refused.successful
    assert "graphs/image-sentinel.onnx" in refused.reason
    assert rig.node._settings is before
    labels = rig.listen(Labels, "image/labels")
    assert show(rig, labels, rig.picture(seed=1)).trust == 1
    assert labels[-1].refine_reason == ""
    assert rig.values("image")["failed"] == "0"


def test_cola_changes_while_it_runs_and_says_what_it_spent(cameras: Rig) -> None:
    labels = cameras.listen(Labels, "image/labels")
    plain = show(cameras, labels, cameras.picture(seed=1))
    assert (plain.refine_views, plain.refine_labels, plain.refine_reason) == (0, 0, "")
    assert set_parameters(cameras, use_cola=True, cola__views=3).successful
    refined = show(cameras, labels, cameras.picture(seed=1))
    assert (refined.refine_views, refined.refine_labels, refined.refine_reason) == (3, 3, "always")
    assert set_parameters(cameras, cola__gate=True).successful
    assert show(cameras, labels, cameras.picture(seed=4)).refine_reason in ("unsure", "spared")
    assert set_parameters(cameras, cola__gate=False, cola__budget_ms=0.01).successful
    cameras.until(
        lambda: show(cameras, labels, cameras.picture(seed=5)).refine_views == 1, "one view within its budget"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"trust__sentinel": True},
        {"trust__sentinel": True, "trust__monitors": False},
        {"cola__budget_ms": 1e-9},
        {"labels": ["dog", "dog"]},
        {"labels": ["dog", "dog"], "trust__monitors": False},
        {"audio__max_age": 0.5},
    ],
)
def test_what_cannot_be_had_leaves_everything_as_it_was(cameras: Rig, wrong: dict[str, Any]) -> None:
    assert set_parameters(cameras, use_cola=True, cola__views=2).successful
    perceiver, before = cameras.node._model.perceiver, cameras.node._settings
    watching = perceiver.monitors("image")
    assert watching
    asked = {"labels": ["crate", "barrel"], "cola__views": 4, **wrong}
    result = set_parameters(cameras, **asked)
    assert not result.successful
    assert result.reason
    assert cameras.node._settings is before
    assert perceiver.labels("image") == LABELS["objects"]
    assert perceiver.cola == ColaSettings(views=2)
    assert perceiver.monitors("image") == watching


def test_every_sense_has_its_part_in_the_scene(make_rig: MakeRig) -> None:
    rig = make_rig(autostart=True, stale_after=600.0, image__max_age=600.0, thermal__max_age=600.0)
    rig.node.begin()
    scenes = rig.listen(SceneLabels, "scene/labels")
    labels, heat = rig.listen(Labels, "image/labels"), rig.listen(Labels, "thermal/labels")
    show(rig, labels, rig.picture(seed=1))
    last = rig.heat(seed=1)
    show(rig, heat, last, "thermal")
    rig.until(lambda: scenes and votes(scenes[-1])["thermal"].decision, "a scene of both cameras")
    scene = scenes[-1]
    assert scene.header.stamp == last.header.stamp
    assert scene.model_id == "tiny-random@1"
    assert set(scene.names) == set(LABELS["objects"])
    assert list(scene.probabilities) == sorted(scene.probabilities, reverse=True)
    assert sum(scene.probabilities) == pytest.approx(1, abs=1e-5)
    assert set(votes(scene)) == {"image", "thermal", "depth", "audio", "video"}
    for sense, result in (("image", labels[-1]), ("thermal", heat[-1])):
        assert votes(scene)[sense].decision == result.decision
        assert votes(scene)[sense].masked == ""
    assert votes(scene)["audio"].masked == "no result yet"
    rig.until(lambda: rig.status("scene").level == DiagnosticStatus.OK, "the scene on /diagnostics")


def test_a_fusion_that_fails_costs_no_result(cameras: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = cameras.listen(Labels, "image/labels")
    scenes = cameras.listen(SceneLabels, "scene/labels")
    fusing = cameras.node._pipeline.scenes

    def broken(*_: object) -> None:
        raise ZeroDivisionError("no weights")

    with monkeypatch.context() as patch:
        patch.setattr(Fusion, "scene", broken)
        for seed in range(3):
            show(cameras, labels, cameras.picture(seed=seed))
            cameras.until(lambda failures=seed + 1: fusing.read().failed == failures, "its failure")
    row = cameras.status("scene")
    assert {pair.key: pair.value for pair in row.values}["failed"] == "3"
    assert row.level == DiagnosticStatus.ERROR
    assert "ZeroDivisionError: no weights" in row.message
    assert cameras.values("image")["failed"] == "0"
    assert scenes == []
    show(cameras, labels, cameras.picture(seed=9))
    cameras.until(lambda: scenes, "a scene once it works again")
    cameras.until(lambda: cameras.status("scene").level == DiagnosticStatus.OK, "its recovery")


def test_a_calibrated_bundle_decides_and_lists_what_is_plausible(make_rig: MakeRig, own_bundle: Path) -> None:
    entry = ConfidenceEntry(
        label_set="objects",
        labels=LABELS["objects"],
        templates=TEMPLATES,
        temperature=2.0,
        alpha=0.05,
        unknown_below=1.0,
        plausible_from=0.0,
        samples=100,
    )
    write_confidence(own_bundle, {Modality.IMAGE: [entry]})
    rig = make_rig(bundle=str(own_bundle), autostart=True, modalities=["image", "thermal"])
    rig.node.begin()
    image, heat = rig.listen(Labels, "image/labels"), rig.listen(Labels, "thermal/labels")
    seen = show(rig, image, rig.picture(seed=1))
    assert seen.decision == "unknown"
    assert seen.plausible == seen.names
    uncalibrated = show(rig, heat, rig.heat(seed=1), "thermal")
    assert uncalibrated.decision == uncalibrated.names[0]
    assert uncalibrated.plausible == []
    assert rig.values("image")["calibration"] == "objects, 95% covered, temperature 2.00"
    assert rig.values("thermal")["calibration"].startswith("none")
