# SPDX-License-Identifier: Apache-2.0
"""A lost GPU ends the process, to be started anew; one whose memory is full costs a sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("rvl_edge_ros.perception_node", reason="needs ROS 2; see docs/ros.md")

from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rig import PATIENCE, Rig
from rvl_edge_msgs.msg import Labels
from rvl_edge_msgs.srv import EmbedText
from rvl_edge_ros.running import Hung

from rvl_edge.backends.cuda.interface import cuda_failure
from rvl_edge.backends.onnxruntime import OnnxRuntimeSession
from rvl_edge.errors import BackendError
from rvl_edge.types import FloatArray

pytestmark = pytest.mark.ros
MakeRig = Callable[..., Rig]
LOST = cuda_failure("cudaStreamSynchronize", 700, "cudaErrorIllegalAddress")
OUT_OF_MEMORY = cuda_failure("cudaMalloc", 2, "cudaErrorMemoryAllocation")
NO_WAIT = 10 * PATIENCE  # seconds of stalled_exit: a test that had to wait for them would fail


class Gpu:
    """Makes the sessions of one graph raise what a GPU under them would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.faults: dict[str, BackendError] = {}
        real = OnnxRuntimeSession.run

        def run(session: OnnxRuntimeSession, batch: np.ndarray) -> FloatArray:
            if session._name in self.faults:
                raise self.faults[session._name]
            return real(session, batch)

        monkeypatch.setattr(OnnxRuntimeSession, "run", run)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    return Gpu(monkeypatch)


def active(make_rig: MakeRig, stalled_exit: float) -> Rig:
    rig = make_rig(
        autostart=True, modalities=["image", "thermal"], stalled_exit=stalled_exit, stale_after=600.0
    )
    rig.node.begin()
    assert rig.state == "active"
    return rig


def lost(make_rig: MakeRig, gpu: Gpu) -> Rig:
    """A node told to live on, whose GPU was lost under a picture."""
    rig = active(make_rig, stalled_exit=0.0)
    gpu.faults["graphs/image.onnx"] = LOST
    rig.publish("image", rig.picture())
    rig.until(lambda: rig.values("image")["state"] == "failing", "the failure on /diagnostics")
    return rig


def test_a_lost_gpu_ends_the_process_at_once(make_rig: MakeRig, gpu: Gpu) -> None:
    rig = active(make_rig, NO_WAIT)
    gpu.faults["graphs/image.onnx"] = LOST
    rig.publish("image", rig.picture())
    with pytest.raises(Hung):
        rig.until(lambda: False, "nothing else")
    assert rig.node.close() is False


def test_where_it_must_not_end_the_process_it_is_reported_until_told_otherwise(
    make_rig: MakeRig, gpu: Gpu
) -> None:
    rig = lost(make_rig, gpu)
    assert "context is lost" in rig.status("image").message
    assert rig.values("image")["failed"] == "1"
    assert rig.node.set_parameters([Parameter("stalled_exit", value=NO_WAIT)])[0].successful
    with pytest.raises(Hung):
        rig.until(lambda: False, "nothing else")


def test_a_node_that_lost_its_gpu_frees_nothing_and_cannot_be_configured_again(
    make_rig: MakeRig, gpu: Gpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = lost(make_rig, gpu)
    freed: list[float] = []
    monkeypatch.setattr(rig.node._model, "close", freed.append)
    rig.node.trigger_deactivate()
    assert rig.state == "finalized"
    assert "start it again" in rig.status("node").message
    assert rig.node.close() is False
    assert freed == []


def test_a_gpu_that_is_lost_while_configuring_takes_no_sense_for_unavailable(
    make_rig: MakeRig, gpu: Gpu
) -> None:
    rig = make_rig(stalled_exit=NO_WAIT)
    gpu.faults["graphs/thermal.onnx"] = LOST
    assert rig.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert rig.state == "unconfigured"
    with pytest.raises(Hung):
        rig.until(lambda: False, "nothing else")


def test_a_gpu_that_is_lost_under_a_text_is_answered_and_remembered(make_rig: MakeRig, gpu: Gpu) -> None:
    rig = active(make_rig, stalled_exit=0.0)
    gpu.faults["text/text.onnx"] = LOST
    answer = rig.call(EmbedText, "perception/embed_text", EmbedText.Request(texts=["a word never seen"]))
    assert not answer.success
    assert "context is lost" in answer.message
    assert rig.node.set_parameters([Parameter("stalled_exit", value=NO_WAIT)])[0].successful
    with pytest.raises(Hung):
        rig.until(lambda: False, "nothing else")


def test_a_gpu_whose_memory_is_full_costs_the_sample_and_nothing_else(make_rig: MakeRig, gpu: Gpu) -> None:
    rig = active(make_rig, stalled_exit=0.1)
    images, heats = rig.listen(Labels, "image/labels"), rig.listen(Labels, "thermal/labels")
    gpu.faults["graphs/image.onnx"] = OUT_OF_MEMORY
    rig.publish("image", rig.picture())
    rig.until(lambda: rig.values("image")["state"] == "failing", "the failure on /diagnostics")
    assert "not enough memory" in rig.status("image").message
    rig.publish("thermal", rig.heat())
    rig.until_heard(heats)
    gpu.faults.clear()
    rig.publish("image", rig.picture(seed=1))
    rig.until_heard(images)
    assert rig.values("image")["failed"] == "1"
    assert rig.node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    assert rig.node.close() is True
