# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="needs launch, which a ROS 2 installation has; see docs/ros.md")

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import LifecycleNode

pytestmark = pytest.mark.ros
FILE = Path(__file__).parents[2] / "ros2_ws" / "src" / "rvl_edge" / "launch" / "perception.launch.py"


@pytest.fixture
def description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LaunchDescription:
    """What the launch file describes; its package need not be installed."""
    index = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    (index / "rvl_edge").touch()
    config = tmp_path / "share" / "rvl_edge" / "config"
    config.mkdir(parents=True)
    shutil.copy(FILE.parents[1] / "config" / "perception.yaml", config)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path), prepend=os.pathsep)
    return runpy.run_path(str(FILE))["generate_launch_description"]()


@pytest.fixture
def declare(description: LaunchDescription) -> Callable[[str, str], str]:
    """Gives one argument of the launch file a value."""
    arguments = {each.name: each for each in description.get_launch_arguments()}

    def declare(name: str, value: str) -> str:
        context = LaunchContext()
        context.launch_configurations[name] = value
        arguments[name].execute(context)
        return context.launch_configurations[name]

    return declare


@pytest.fixture
def launched(description: LaunchDescription) -> Callable[..., LifecycleNode]:
    """The node as it is made from arguments, short of its process."""

    def launched(**arguments: str) -> LifecycleNode:
        context = LaunchContext()
        context.launch_configurations.update(arguments)
        for entity in description.entities:
            if isinstance(entity, DeclareLaunchArgument):
                entity.execute(context)
            elif isinstance(entity, OpaqueFunction):
                (node,) = entity.execute(context)
        node._perform_substitutions(context)
        return node

    return launched


def given_over(node: LifecycleNode) -> dict[str, object]:
    """The parameters that win over the file."""
    *_, (path, _) = node._Node__expanded_parameter_arguments
    (parameters,) = yaml.full_load(Path(path).read_text()).values()  # it holds tuples
    return parameters["ros__parameters"]


@pytest.mark.parametrize("switch", ["use_cola", "monitors", "sentinel", "use_sim_time"])
def test_a_switch_is_true_or_false_or_left_to_the_file_and_nothing_else(
    declare: Callable[[str, str], str], switch: str
) -> None:
    for value in ("", "true", "false"):
        assert declare(switch, value) == value
    for value in ("1", "yes", "True", "ture"):
        with pytest.raises(RuntimeError, match=value):
            declare(switch, value)


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        ("cat, dog", ["cat", "dog"]),
        ("a black horse,no", ["a black horse", "no"]),
        ("[cat, dog]", ["cat", "dog"]),
        ("""["cat", 'dog']""", ["cat", "dog"]),
        ("""["a horse, black", no, 1]""", ["a horse, black", "no", "1"]),
        ("[]", [""]),
    ],
)
def test_lists_are_words_between_commas_or_yaml(
    launched: Callable[..., LifecycleNode], words: str, labels: list[str]
) -> None:
    assert list(given_over(launched(labels=words))["labels"]) == labels


def test_arguments_left_out_leave_the_parameter_file_alone(launched: Callable[..., LifecycleNode]) -> None:
    assert given_over(launched()) == {"autostart": True}
    assert given_over(launched(use_sim_time="true")) == {"autostart": True, "use_sim_time": True}


def test_every_topic_that_the_node_hears_can_be_another(launched: Callable[..., LifecycleNode]) -> None:
    heard = ("image", "thermal", "depth", "audio", "audio_stamped", "audio_data", "audio_info")
    node = launched(**{f"{topic}_topic": f"/robot/{topic}" for topic in heard})
    assert set(node.expanded_remapping_rules) == {(topic, f"/robot/{topic}") for topic in heard}
