# SPDX-License-Identifier: Apache-2.0
"""The parameter file that is installed says what the node does without it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("rvl_edge_ros.params", reason="needs ROS 2; see docs/ros.md")

from rclpy.node import Node
from rclpy.parameter import Parameter
from rvl_edge_ros import params
from rvl_edge_ros.params import Settings

pytestmark = pytest.mark.ros

FILE = Path(__file__).parents[2] / "ros2_ws" / "src" / "rvl_edge" / "config" / "perception.yaml"
BY_LAUNCH = {"autostart"}


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def test_it_lists_every_parameter_with_its_default() -> None:
    written = flat(yaml.safe_load(FILE.read_text())["/**"]["ros__parameters"])
    defaults = {
        each.metadata["name"]: [""] if isinstance(each.default, tuple) else each.default
        for each in fields(Settings)
    }
    assert written == {name: value for name, value in defaults.items() if name not in BY_LAUNCH}


@pytest.mark.parametrize("name", ["labels", "templates", "modalities", "trusted_keys"])
def test_an_empty_list_is_none_and_can_be_another_later(ros_context: None, tmp_path: Path, name: str) -> None:
    path = tmp_path / "perception.yaml"
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": {name: []}}}))
    node = Node("perception", cli_args=["--ros-args", "--params-file", str(path)])
    try:
        settings = params.declare(node)
        assert settings == Settings()
        other = Parameter(name, value=["one", "two"])
        assert node.set_parameters([other])[0].successful
    finally:
        node.destroy_node()
