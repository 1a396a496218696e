# SPDX-License-Identifier: Apache-2.0
"""A node that is given public keys loads no bundle that none of them signed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("rvl_edge_ros.perception_node", reason="needs ROS 2; see docs/ros.md")
pytest.importorskip("cryptography", reason="signatures need cryptography")

from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rig import Rig

from rvl_edge.bundle.signing import new_key, sign

pytestmark = pytest.mark.ros
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


@pytest.fixture
def rig(make_rig: Callable[..., Rig], own_bundle: Path, tmp_path: Path) -> Rig:
    """Not yet configured; `a` and `b` are trusted, `stranger` is not."""
    trusted = [str(new_key(tmp_path / name)) for name in ("a", "b")]
    new_key(tmp_path / "stranger")
    return make_rig(bundle=str(own_bundle), trusted_keys=trusted, modalities=["thermal"])


def refusal(rig: Rig) -> str:
    """Configure in vain; what /diagnostics says of it."""
    assert rig.node.trigger_configure() == FAILURE
    assert rig.state == "unconfigured"
    return rig.status("node").message


def test_it_stays_unconfigured_until_one_of_them_signed(rig: Rig, own_bundle: Path, tmp_path: Path) -> None:
    unsigned = refusal(rig)
    assert "the bundle is not signed" in unsigned
    assert "Fix: rvl-edge sign" in unsigned
    sign(own_bundle, tmp_path / "stranger")
    assert "a key that is not trusted here" in refusal(rig)
    sign(own_bundle, tmp_path / "b")
    assert rig.node.trigger_configure() == SUCCESS


def test_a_bundle_that_was_changed_after_is_refused(rig: Rig, own_bundle: Path, tmp_path: Path) -> None:
    sign(own_bundle, tmp_path / "a")
    manifest = own_bundle / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    assert "not the one that was signed" in refusal(rig)


def test_a_key_that_cannot_be_read_is_no_reason_to_go_without(
    rig: Rig, own_bundle: Path, tmp_path: Path
) -> None:
    sign(own_bundle, tmp_path / "a")
    (tmp_path / "a.pub").unlink()
    assert "the key cannot be read" in refusal(rig)


def test_a_configured_node_keeps_its_keys(rig: Rig, own_bundle: Path, tmp_path: Path) -> None:
    sign(own_bundle, tmp_path / "a")
    assert rig.node.trigger_configure() == SUCCESS
    answer = rig.node.set_parameters([Parameter("trusted_keys", value=[""])])[0]
    assert not answer.successful
    assert "trusted_keys cannot change now" in answer.reason
