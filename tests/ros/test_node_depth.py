# SPDX-License-Identifier: Apache-2.0
"""Depth in the node: REP 118 in, an embedding and labels out, and what a depth camera sends wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rvl_edge_ros.perception_node", reason="needs ROS 2; see docs/ros.md")

from rclpy.parameter import Parameter
from rig import Rig
from rvl_edge_msgs.msg import Embedding, Labels, SensorHealth

import rvl_edge as rvl

pytestmark = pytest.mark.ros
MakeRig = Callable[..., Rig]
MILLIMETRES = np.random.default_rng(0).integers(300, 9000, (48, 64), dtype=np.uint16)


@pytest.fixture
def active(make_rig: MakeRig) -> Rig:
    rig = make_rig(autostart=True, modalities=["image", "depth"], stale_after=600.0)
    rig.node.begin()
    return rig


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("16UC1", MILLIMETRES),
        ("mono16", MILLIMETRES),
        ("32FC1", np.where(MILLIMETRES % 7, MILLIMETRES / 1000, np.nan).astype(np.float32)),
    ],
)
def test_results_are_the_perceivers_and_keep_the_header(
    active: Rig, tiny_bundle: Path, encoding: str, pixels: np.ndarray
) -> None:
    embeddings = active.listen(Embedding, "depth/embedding")
    labels = active.listen(Labels, "depth/labels")
    message = active.distances(pixels)
    message.encoding = encoding
    active.publish("depth", message)
    active.until(lambda: embeddings and labels)
    with rvl.Perceiver.open(tiny_bundle) as perceiver:
        expected = perceiver.depth(pixels)
    np.testing.assert_allclose(np.array(embeddings[0].data), expected.embedding, atol=1e-6)
    assert embeddings[0].header == labels[0].header == message.header
    assert labels[0].modality == "depth"
    assert labels[0].names == [label.name for label in expected.labels]


def test_the_unit_parameter_says_what_the_numbers_are(active: Rig, tiny_bundle: Path) -> None:
    """Some drivers send 32FC1 in millimetres."""
    heard = active.listen(Embedding, "depth/embedding")
    assert active.node.set_parameters([Parameter("depth.unit", value="millimetres")])[0].successful
    active.publish("depth", active.distances(MILLIMETRES.astype(np.float32)))
    active.until(lambda: heard)
    with rvl.Perceiver.open(tiny_bundle) as perceiver:
        expected = perceiver.depth(MILLIMETRES)
    np.testing.assert_allclose(np.array(heard[0].data), expected.embedding, atol=1e-5)


def test_every_unusable_frame_is_counted_once_and_survived(active: Rig) -> None:
    nothing_measured = [
        np.zeros((48, 64), np.uint16),
        np.full((48, 64), np.nan, np.float32),
        np.full((48, 64), -np.inf, np.float32),
    ]
    reports = active.listen(SensorHealth, "depth/health")

    def rejected() -> int:
        return active.node._pipeline.senses["depth"].meter.read().counts.rejected

    for count, pixels in enumerate(nothing_measured, 1):
        active.publish("depth", active.distances(pixels))
        active.until(lambda count=count: rejected() == count, f"rejection {count}")
    active.publish("depth", active.picture())
    active.until(lambda: rejected() == 4, "the rejected colour picture")
    reports.clear()
    active.until(lambda: reports, "a report")
    assert (reports[0].received, reports[0].rejected, reports[0].failed) == (4, 4, 0)
    assert reports[0].state == SensorHealth.REJECTED
    assert "16UC1 in millimetres" in reports[0].last_error

    labels = active.listen(Labels, "depth/labels")
    active.publish("depth", active.distances(MILLIMETRES))
    active.until(lambda: labels, "a result after the rejected frames")
    assert rejected() == 4


def test_a_bundle_without_depth_has_no_depth_topic(make_rig: MakeRig, own_bundle: Path) -> None:
    manifest = json.loads((own_bundle / "manifest.json").read_text())
    del manifest["senses"]["depth"]
    (own_bundle / "manifest.json").write_text(json.dumps(manifest))
    rig = make_rig(autostart=True, bundle=str(own_bundle))
    rig.node.begin()
    assert rig.state == "active"
    assert rig.helper.count_subscribers("depth") == 0
    assert rig.helper.count_publishers("depth/labels") == 0
    assert rig.helper.count_subscribers("thermal") == 1
