# SPDX-License-Identifier: Apache-2.0
"""A transition that fails half-way leaves nothing of it behind."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

pytest.importorskip("rvl_edge_ros.perception_node", reason="needs ROS 2; see docs/ros.md")

from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rig import Rig
from rvl_edge_ros import results

from rvl_edge import Perceiver

pytestmark = pytest.mark.ros
FAILURE = TransitionCallbackReturn.FAILURE
MakeRig = Callable[..., Rig]


@pytest.mark.parametrize("wrong", ["sometimes", True])
def test_an_activation_that_fails_leaves_the_node_inactive_and_silent(
    make_rig: MakeRig, capfd: pytest.CaptureFixture[str], wrong: object
) -> None:
    rig = make_rig(
        **{
            "modalities": ["image", "thermal"],
            "qos_overrides./thermal.subscription.reliability": wrong,
        }
    )
    rig.node.trigger_configure()
    for _ in range(2):
        assert rig.node.trigger_activate() == FAILURE
        assert rig.state == "inactive"
    assert rig.node.count_subscribers("image") == 0
    assert not any(thread.name == "inference" for thread in threading.enumerate())
    assert not any(each.is_activated for each in rig.node._outputs._publishers.values())
    assert "cannot activate: the topic thermal" in rig.status("node").message
    assert "Traceback" not in capfd.readouterr().err


def test_a_configuration_that_fails_leaves_the_node_unconfigured_and_without_topics(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig()
    with monkeypatch.context() as damage:
        damage.setattr(results, "Classification", int)  # vision_msgs are there, and broken
        assert rig.node.trigger_configure() == FAILURE
    assert rig.state == "unconfigured"
    assert rig.node.count_publishers("image/labels") == rig.node.count_publishers("scene/labels") == 0
    assert rig.node.set_parameters([Parameter("threads", value=1)])[0].successful
    assert rig.node.trigger_configure() == TransitionCallbackReturn.SUCCESS


def test_a_configuration_that_fails_on_its_labels_closes_the_bundle_it_opened(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Perceiver] = []
    real = Perceiver.close

    def close(perceiver: Perceiver) -> None:
        closed.append(perceiver)
        real(perceiver)

    monkeypatch.setattr(Perceiver, "close", close)
    rig = make_rig(modalities=["image"], labels=["dog", "dog"])
    assert rig.node.trigger_configure() == FAILURE
    assert len(closed) == 1
