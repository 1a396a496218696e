# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rvl_edge_ros.perception_node", reason="needs ROS 2; see docs/ros.md")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy
from rig import PATIENCE, Rig
from rvl_edge_msgs.msg import Embedding, Labels, SensorHealth

import rvl_edge as rvl
from rvl_edge import _encoder
from rvl_edge.backends import Session
from rvl_edge.bundle.engines import Machine, choose_engine
from rvl_edge.bundle.manifest import GraphEntry

pytestmark = pytest.mark.ros
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
MakeRig = Callable[..., Rig]


@pytest.fixture
def active(make_rig: MakeRig) -> Rig:
    rig = make_rig(
        autostart=True, video__window=4, video__hop=2, audio__window=0.2, audio__hop=0.1, stale_after=600.0
    )
    rig.node.begin()
    assert rig.state == "active"
    return rig


def test_results_are_the_perceivers_and_keep_the_header(active: Rig, tiny_bundle: Path) -> None:
    embeddings = active.listen(Embedding, "image/embedding")
    labels = active.listen(Labels, "image/labels")
    message = active.picture(seed=3)
    active.publish("image", message)
    active.until(lambda: embeddings and labels)

    pixels = np.frombuffer(message.data, np.uint8).reshape(48, 64, 3)
    with rvl.Perceiver.open(tiny_bundle) as perceiver:
        expected = perceiver.image(pixels)
    assert embeddings[0].header == labels[0].header == message.header
    assert embeddings[0].window_start == embeddings[0].window_end == message.header.stamp
    np.testing.assert_allclose(np.array(embeddings[0].data), expected.embedding, atol=1e-6)
    assert tuple(labels[0].names) == tuple(label.name for label in expected.labels)
    np.testing.assert_allclose(
        labels[0].probabilities, [label.probability for label in expected.labels], atol=1e-5
    )
    assert (labels[0].modality, labels[0].model_id) == ("image", "tiny-random@1")
    assert labels[0].encode_ms > 0


def test_windows_state_what_they_cover(active: Rig) -> None:
    clips = active.listen(Labels, "video/labels")
    clippings = active.listen(Labels, "audio/labels")
    stamps = []
    for at in range(4):
        message = active.picture(seed=at)
        stamps.append(message.header.stamp)
        active.publish("image", message)
        active.until_received("video", at + 1)
    active.until(lambda: clips, "a clip")
    assert (clips[0].window_start, clips[0].window_end) == (stamps[0], stamps[3])
    assert clips[0].header.stamp == stamps[3]
    for _ in range(2):
        active.publish("audio", active.sound(0.1))
    active.until(lambda: clippings, "a window of sound")
    start, end = (
        each.sec + 1e-9 * each.nanosec for each in (clippings[0].window_start, clippings[0].window_end)
    )
    assert end - start == pytest.approx(0.2, abs=1e-6)


def test_a_result_of_a_message_without_a_stamp_has_the_time_of_its_arrival(active: Rig) -> None:
    labels = active.listen(Labels, "image/labels")
    before = active.helper.get_clock().now().nanoseconds
    message = active.picture()
    message.header.stamp = Time()
    active.publish("image", message)
    active.until_heard(labels)
    stamp = labels[0].header.stamp
    assert before < stamp.sec * 10**9 + stamp.nanosec < active.helper.get_clock().now().nanoseconds
    assert stamp == labels[0].window_end
    assert labels[0].header.frame_id == message.header.frame_id


def test_a_silent_or_broken_sense_does_not_stop_the_others(active: Rig) -> None:
    labels = active.listen(Labels, "thermal/labels")
    for at in range(5):
        broken = active.picture(seed=at)
        broken.step = 1
        active.publish("image", broken)
        active.publish("thermal", active.heat(seed=at))
        active.until_heard(labels, at + 1)
    active.until(lambda: active.values("image")["rejected"] == "5", "every rejection counted")
    image, video, audio = (active.status(each) for each in ("image", "video", "audio"))
    assert image.level == video.level == b"\x02"
    assert "step 1" in image.message
    assert "no message yet" in audio.message
    assert active.values("thermal")["rejected"] == "0"


def test_every_sense_reports_its_health(active: Rig) -> None:
    heard = {
        each: active.listen(SensorHealth, f"{each}/health") for each in ("image", "thermal", "audio", "video")
    }
    labels = active.listen(Labels, "image/labels")
    active.publish("image", active.picture())
    active.until(lambda: labels)
    heard["image"].clear()
    active.until(lambda: all(heard.values()), "a report of every sense")
    health = heard["image"][-1]
    assert (health.received, health.published) == (1, 1)
    assert health.total_p50_ms >= health.encode_p50_ms > 0
    assert heard["audio"][-1].state == SensorHealth.WAITING


def test_a_sense_that_falls_silent_is_stale_and_recovers(make_rig: MakeRig) -> None:
    rig = make_rig(autostart=True, modalities=["thermal"], stale_after=0.1)
    rig.node.begin()
    labels = rig.listen(Labels, "thermal/labels")
    rig.publish("thermal", rig.heat())
    rig.until(lambda: rig.values("thermal")["state"] == "stale", "staleness")
    rig.publish("thermal", rig.heat())
    rig.until(lambda: len(labels) == 2, "a result after the silence")


def test_a_profile_that_is_overridden_for_one_topic_stays_as_it_is_for_the_others(make_rig: MakeRig) -> None:
    rig = make_rig(
        **{
            "autostart": True,
            "modalities": ["image", "thermal"],
            "qos_overrides./image.subscription.reliability": "reliable",
        }
    )
    rig.node.begin()
    found = {
        topic: rig.node.get_subscriptions_info_by_topic(topic)[0].qos_profile.reliability
        for topic in ("image", "thermal")
    }
    assert found == {"image": ReliabilityPolicy.RELIABLE, "thermal": ReliabilityPolicy.BEST_EFFORT}


def test_the_lifecycle_may_be_abused(make_rig: MakeRig) -> None:
    rig = make_rig()
    node = rig.node
    assert rig.state == "unconfigured"
    node.trigger_activate()
    assert rig.state == "unconfigured"
    for _ in range(3):
        assert node.trigger_configure() == SUCCESS
        node.trigger_configure()
        assert rig.state == "inactive"
        assert node.trigger_activate() == SUCCESS
        node.trigger_activate()
        node.trigger_cleanup()
        assert rig.state == "active"
        assert node.trigger_deactivate() == SUCCESS
        assert node.trigger_activate() == SUCCESS
        assert node.trigger_deactivate() == SUCCESS
        assert node.trigger_cleanup() == SUCCESS
        assert rig.state == "unconfigured"
    assert not any(thread.name == "inference" for thread in threading.enumerate())
    assert node.count_publishers("image/labels") == 0
    node.trigger_shutdown()
    assert rig.state == "finalized"
    row = rig.status("node")
    assert row.level == DiagnosticStatus.WARN
    assert "another start of the process" in row.message


def test_an_inactive_node_keeps_its_labels_and_publishes_nothing(active: Rig) -> None:
    labels = active.listen(Labels, "image/labels")
    active.node._model.perceiver.set_labels(["crate"])
    active.publish("image", active.picture())
    active.until(lambda: labels)
    assert active.node.trigger_deactivate() == SUCCESS
    assert active.helper.count_subscribers("image") == 0
    assert active.node.trigger_activate() == SUCCESS
    labels.clear()
    active.publish("image", active.picture())
    active.until(lambda: labels)
    assert labels[0].names == ["crate"]


def test_deactivating_waits_for_the_inference_in_work(active: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = active.listen(Labels, "image/labels")
    begun, go_on = threading.Event(), threading.Event()
    perceive = rvl.Perceiver.image

    def slowly(self: rvl.Perceiver, rgb: np.ndarray) -> rvl.Perception:
        begun.set()
        assert go_on.wait(PATIENCE)
        return perceive(self, rgb)

    monkeypatch.setattr(rvl.Perceiver, "image", slowly)
    active.publish("image", active.picture())
    active.until(begun.is_set, "the inference")
    threading.Timer(0.2, go_on.set).start()
    assert active.node.trigger_deactivate() == SUCCESS
    assert go_on.is_set()
    assert active.node.trigger_cleanup() == SUCCESS
    active.until(lambda: active.status("node").message == "unconfigured", "the state on /diagnostics")
    assert len(labels) <= 1


@pytest.mark.parametrize("damage", ["graph", "manifest", "gone"])
def test_a_damaged_bundle_leaves_the_node_unconfigured_with_the_reason(
    make_rig: MakeRig, own_bundle: Path, damage: str
) -> None:
    graph, manifest = own_bundle / "graphs" / "image.onnx", own_bundle / "manifest.json"
    whole = graph.read_bytes(), manifest.read_text()
    rig = make_rig(bundle=str(own_bundle if damage != "gone" else own_bundle / "nothing"))
    if damage == "graph":
        graph.write_bytes(whole[0][:-1] + bytes([whole[0][-1] ^ 1]))
    else:
        manifest.write_text(json.dumps({**json.loads(whole[1]), "schema_version": 9}))
    assert rig.node.trigger_configure() == FAILURE
    assert rig.state == "unconfigured"
    status = rig.status("node")
    assert status.level == b"\x02"
    assert "Fix:" in status.message
    graph.write_bytes(whole[0])
    manifest.write_text(whole[1])
    expected = FAILURE if damage == "gone" else SUCCESS
    assert rig.node.trigger_configure() == expected


def test_a_runtime_that_is_not_installed_leaves_the_node_unconfigured_with_the_fix(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("openvino", "rvl_edge.backends.openvino"):
        monkeypatch.setitem(sys.modules, name, None)
    rig = make_rig(autostart=True, backend="openvino")
    rig.node.begin()
    assert rig.state == "unconfigured"
    assert "pip install 'rvl-edge-sdk[openvino]'" in rig.status("node").message
    assert rig.node.set_parameters([Parameter("backend", value="onnxruntime")])[0].successful
    assert rig.node.trigger_configure() == SUCCESS


def test_another_runtime_gives_the_same_embedding(make_rig: MakeRig, tiny_bundle: Path) -> None:
    pytest.importorskip("openvino", reason="needs the openvino extra")
    rig = make_rig(autostart=True, backend="openvino", modalities=["thermal"])
    rig.node.begin()
    heard = rig.listen(Embedding, "thermal/embedding")
    message = rig.heat()
    rig.publish("thermal", message)
    rig.until(lambda: heard)
    with rvl.Perceiver.open(tiny_bundle) as perceiver:
        expected = perceiver.thermal(np.frombuffer(message.data, np.uint16).reshape(48, 64))
    np.testing.assert_allclose(np.array(heard[0].data), expected.embedding, atol=1e-5)


def test_an_unknown_runtime_is_refused_before_anything_is_loaded(make_rig: MakeRig) -> None:
    with pytest.raises(rvl.ConfigError, match=r"'tensorflow'.*'onnxruntime'"):
        make_rig(backend="tensorflow")


@pytest.fixture
def deaf_bundle(own_bundle: Path) -> Path:
    manifest = json.loads((own_bundle / "manifest.json").read_text())
    del manifest["senses"]["audio"]
    (own_bundle / "manifest.json").write_text(json.dumps(manifest))
    return own_bundle


def test_the_senses_a_bundle_has_work_without_the_others(make_rig: MakeRig, deaf_bundle: Path) -> None:
    rig = make_rig(autostart=True, bundle=str(deaf_bundle), modalities=["image", "audio"])
    rig.node.begin()
    assert rig.state == "active"
    assert "no audio encoder" in rig.status("audio").message
    labels = rig.listen(Labels, "image/labels")
    rig.publish("image", rig.picture())
    rig.until(lambda: labels)


def test_a_sense_whose_engine_is_missing_is_unavailable_and_the_others_work(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _encoder.load_graph

    def load(bundle: rvl.Bundle, entry: GraphEntry, threads: int | None, backend: str) -> Session:
        if entry.graph.path == "graphs/thermal.onnx":
            choose_engine(entry, Machine("tensorrt", "10.3.0", "8.7", "Orin"))  # the bundle has none
        return real(bundle, entry, threads, backend)

    monkeypatch.setattr(_encoder, "load_graph", load)
    rig = make_rig(autostart=True, modalities=["image", "thermal"])
    rig.node.begin()
    assert rig.state == "active"
    assert rig.values("thermal")["state"] == "unavailable"
    assert "no engine for tensorrt" in rig.status("thermal").message
    labels = rig.listen(Labels, "image/labels")
    rig.publish("image", rig.picture())
    rig.until(lambda: labels)


def test_it_does_not_start_with_none_of_the_senses(make_rig: MakeRig, deaf_bundle: Path) -> None:
    rig = make_rig(bundle=str(deaf_bundle), modalities=["audio"])
    assert rig.node.trigger_configure() == FAILURE
    assert "none of the senses" in rig.status("node").message
