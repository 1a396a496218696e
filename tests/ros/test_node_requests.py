# SPDX-License-Identifier: Apache-2.0
"""Services and parameters: what is answered, what is refused, and what stays in force."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rvl_edge_ros.perception_node", reason="needs ROS 2; see docs/ros.md")

from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter
from rig import Rig
from rvl_edge_msgs.msg import Labels
from rvl_edge_msgs.srv import EmbedText, SetLabels

from rvl_edge import ConfigError

pytestmark = pytest.mark.ros
MakeRig = Callable[..., Rig]


@pytest.fixture
def active(make_rig: MakeRig) -> Rig:
    rig = make_rig(autostart=True)
    rig.node.begin()
    return rig


def set_labels(rig: Rig, **request: Any) -> SetLabels.Response:
    return rig.call(SetLabels, "perception/set_labels", SetLabels.Request(**request))


def test_other_labels_rank_from_the_next_result_on(active: Rig) -> None:
    answer = set_labels(active, labels=["zebra crossing", "person"])
    assert answer.success, answer.message
    assert any("image was not trained on zebra crossing" in warning for warning in answer.warnings)
    heard = active.listen(Labels, "image/labels")
    active.publish("image", active.picture())
    active.until(lambda: heard)
    assert sorted(heard[0].names) == ["person", "zebra crossing"]
    assert heard[0].labels_version == answer.version
    assert sum(heard[0].probabilities) == pytest.approx(1, abs=1e-5)
    active.until(lambda: active.values("image")["labels version"] == str(answer.version), "the new version")
    status = active.status("image")
    assert status.level == b"\x01"
    assert "zebra crossing" in status.message


def test_labels_set_as_a_parameter_win_over_the_services_even_if_they_were_set_before(
    make_rig: MakeRig,
) -> None:
    rig = make_rig(labels=["dog", "car"])
    rig.node.trigger_configure()
    perceiver = rig.node._model.perceiver
    assert set_labels(rig, labels=["tree", "bus"]).success
    assert rig.node.set_parameters([Parameter("stale_after", value=3.0)])[0].successful
    assert perceiver.labels("image") == ("tree", "bus")
    assert rig.node.set_parameters([Parameter("labels", value=["dog", "car"])])[0].successful
    assert perceiver.labels("image") == perceiver.labels("audio") == ("dog", "car")


def test_no_labels_as_a_parameter_bring_the_bundles_own_back_after_the_service(active: Rig) -> None:
    assert set_labels(active, labels=["siren"], modality="audio").success
    assert active.node.set_parameters([Parameter("labels", value=[""])])[0].successful
    assert active.node._model.perceiver.labels("audio") != ("siren",)


def test_labels_of_one_sense_leave_the_others_alone(active: Rig) -> None:
    assert set_labels(active, labels=["siren"], modality="audio").success
    perceiver = active.node._model.perceiver
    assert perceiver.labels("audio") == ("siren",)
    assert perceiver.labels("image") == ("dog", "car", "person")


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": []},
        {"labels": ["dog", ""]},
        {"labels": ["dog", "Dog"]},
        {"labels": ["dog"], "modality": "smell"},
        {"labels": ["dog"], "templates": ["no slot"]},
        {"labels": [f"label {n}" for n in range(10_001)]},
    ],
)
def test_labels_that_make_no_sense_are_refused(active: Rig, wrong: dict[str, Any]) -> None:
    before = active.node._model.perceiver.anchors("image")
    answer = set_labels(active, **wrong)
    assert not answer.success
    assert answer.message
    assert active.node._model.perceiver.anchors("image") is before


def test_what_nobody_foresaw_is_answered_logged_and_survived(
    active: Rig, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def exhausted(*_: Any, **__: Any) -> int:
        raise MemoryError("no room for labels")

    with monkeypatch.context() as fault:
        fault.setattr(active.node._model.perceiver, "set_labels", exhausted)
        answer = set_labels(active, labels=["siren"])
        (result,) = active.node.set_parameters([Parameter("labels", value=["siren"])])
    assert (answer.success, answer.message) == (False, "MemoryError: no room for labels")
    assert (result.successful, result.reason) == (False, "MemoryError: no room for labels")
    assert capfd.readouterr().err.count("in exhausted") == 2
    assert set_labels(active, labels=["siren"]).success


def test_texts_are_embedded_as_the_perceiver_does(active: Rig) -> None:
    texts = ["a red forklift", "une fourmi"]
    answer = active.call(EmbedText, "perception/embed_text", EmbedText.Request(texts=texts))
    assert answer.success
    vectors = np.array(answer.data, np.float32).reshape(2, answer.dim)
    np.testing.assert_allclose(vectors, active.node._model.perceiver.embed_text(texts), atol=1e-6)
    assert not active.call(EmbedText, "perception/embed_text", EmbedText.Request(texts=[""])).success


def test_an_unconfigured_node_answers_that_it_is(make_rig: MakeRig) -> None:
    rig = make_rig()
    answer = set_labels(rig, labels=["dog"])
    assert not answer.success
    assert "not configured" in answer.message


def test_a_slow_answer_holds_up_no_sense(active: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """While labels are being embedded, pictures are perceived; only then may the embedding end."""
    heard = active.listen(Labels, "image/labels")
    perceiver = active.node._model.perceiver
    real = perceiver.set_labels

    def slowly(*arguments: Any, **options: Any) -> int:
        active.slow_call = True
        while not heard:
            pass
        return real(*arguments, **options)

    monkeypatch.setattr(perceiver, "set_labels", slowly)
    active.slow_call = False
    client = active.helper.create_client(SetLabels, "perception/set_labels")
    active.until(client.service_is_ready)
    future = client.call_async(SetLabels.Request(labels=["dog"]))
    active.until(lambda: active.slow_call, "the service call")
    active.publish("image", active.picture())
    active.until(future.done, "the answer")
    assert heard[0].labels_version < future.result().version


NONSENSE = {
    "stale_after": [math.nan, math.inf, 0.0, -1.0, 3, "soon"],
    "video.hop": [0, 17, -1, 2.5],
    "audio.window": [math.nan, 0.5, 1e9],
    "labels": [["dog", "dog"], ["dog", "x" * 2000], "dog", 7],
    "templates": [["a photo of a {}"]],
    "thermal.unit": ["fahrenheit"],
    "depth.unit": ["mm", "kelvin"],
    "depth.max_rate": [-1.0],
    "image.max_rate": [-1.0, math.nan],
    "use_cola": ["yes", 1],
    "modalities": [["image"]],
    "bundle": ["elsewhere"],
    "threads": [4],
    "backend": ["tensorrt", "openvino"],
    "stalled_exit": [-1.0, math.nan],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in NONSENSE for value in NONSENSE[name]])
def test_nonsense_is_refused_and_changes_nothing(make_rig: MakeRig, name: str, value: Any) -> None:
    rig = make_rig()
    rig.node.trigger_configure()
    before = rig.node._settings, rig.node.get_parameter(name).value
    (result,) = rig.node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert result.reason
    assert (rig.node._settings, rig.node.get_parameter(name).value) == before


def test_parameters_take_effect_while_it_runs(active: Rig) -> None:
    results = active.node.set_parameters_atomically(
        [
            Parameter("labels", value=["siren", "horn"]),
            Parameter("templates", value=["hear the {}"]),
            Parameter("video.window", value=2),
            Parameter("video.hop", value=1),
            Parameter("use_cola", value=True),
        ]
    )
    assert results.successful, results.reason
    clips = active.listen(Labels, "video/labels")
    for at in range(2):
        active.publish("image", active.picture(seed=at))
        active.until_received("video", at + 1)
    active.until(lambda: clips)
    assert sorted(clips[0].names) == ["horn", "siren"]
    assert clips[0].refine_ms > 0
    assert active.node.set_parameters_atomically(
        [Parameter("labels", value=[""]), Parameter("templates", value=[""])]
    ).successful
    assert active.node._model.perceiver.labels("image") == ("dog", "car", "person")


def test_an_atomic_change_is_all_or_nothing(active: Rig) -> None:
    before = active.node._settings, active.node._model.perceiver.labels("image")
    result = active.node.set_parameters_atomically(
        [Parameter("labels", value=["siren"]), Parameter("stale_after", value=math.nan)]
    )
    assert not result.successful
    assert (active.node._settings, active.node._model.perceiver.labels("image")) == before


def test_a_bundle_may_be_chosen_again_before_configuring(make_rig: MakeRig) -> None:
    rig = make_rig()
    assert rig.node.set_parameters([Parameter("threads", value=1)])[0].successful
    rig.node.trigger_configure()
    assert not rig.node.set_parameters([Parameter("threads", value=2)])[0].successful
    rig.node.trigger_cleanup()
    assert rig.node.set_parameters([Parameter("threads", value=2)])[0].successful


def test_a_node_does_not_start_with_nonsense(make_rig: MakeRig) -> None:
    with pytest.raises(ConfigError, match=r"video\.hop"):
        make_rig(video__window=2, video__hop=3)


def test_what_another_callback_refuses_is_not_in_force(active: Rig) -> None:
    """It is added later, through rclpy, by a program that has the node in it."""
    refuse = SetParametersResult(successful=False, reason="not now")
    active.node.add_on_set_parameters_callback(lambda _: refuse)
    assert not active.node.set_parameters([Parameter("labels", value=["siren"])])[0].successful
    assert active.node._model.perceiver.labels("image") == ("dog", "car", "person")
