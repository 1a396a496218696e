# SPDX-License-Identifier: Apache-2.0
"""Launch the perception node: `ros2 launch rvl_edge perception.launch.py image_topic:=/camera/image_raw`.

The node configures and activates itself (`autostart`). So a respawned node comes up again, and one that was
deactivated by hand stays so, which launch's lifecycle events would not give.
"""

from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.descriptions import ParameterFile

_SWITCHES = {
    "use_cola": "use_cola",
    "monitors": "trust.monitors",
    "sentinel": "trust.sentinel",
    "use_sim_time": "use_sim_time",
}
_ON_OFF = ["", "true", "false"]
_AUDIO_COMMON = {"audio_stamped": "AudioDataStamped", "audio_data": "AudioData", "audio_info": "AudioInfo"}
_TOPICS = ("image", "thermal", "depth", "audio", *_AUDIO_COMMON)


def generate_launch_description() -> LaunchDescription:
    """The arguments, and the node made from them."""
    configured = str(Path(get_package_share_directory("rvl_edge")) / "config" / "perception.yaml")
    arguments = [
        DeclareLaunchArgument(
            "namespace", default_value="", description="Namespace of the node and its topics."
        ),
        DeclareLaunchArgument(
            "params_file", default_value=configured, description="YAML file of parameters."
        ),
        DeclareLaunchArgument(
            "bundle", default_value="", description="Folder of a bundle; empty: as params_file."
        ),
        DeclareLaunchArgument(
            "trusted_keys",
            default_value="",
            description="Public keys that a bundle may be signed by, comma-separated; empty: as params_file.",
        ),
        DeclareLaunchArgument(
            "modalities",
            default_value="",
            description="Senses to use, comma-separated; empty: as params_file.",
        ),
        DeclareLaunchArgument(
            "backend", default_value="", description="Runtime of the encoders; empty: as params_file."
        ),
        DeclareLaunchArgument(
            "image_topic", default_value="image", description="Colour camera, also for video."
        ),
        DeclareLaunchArgument("thermal_topic", default_value="thermal", description="Thermal camera."),
        DeclareLaunchArgument("depth_topic", default_value="depth", description="Depth camera."),
        DeclareLaunchArgument("audio_topic", default_value="audio", description="Microphone."),
        *(
            DeclareLaunchArgument(
                f"{topic}_topic",
                default_value=topic,
                description=f"Microphone, as audio_common_msgs/{kind}.",
            )
            for topic, kind in _AUDIO_COMMON.items()
        ),
        DeclareLaunchArgument(
            "labels",
            default_value="",
            description="What to tell apart, comma-separated; empty: as params_file.",
        ),
        DeclareLaunchArgument(
            "use_cola",
            default_value="",
            choices=_ON_OFF,
            description="Rank by COLA; empty: as params_file.",
        ),
        DeclareLaunchArgument(
            "monitors",
            default_value="",
            choices=_ON_OFF,
            description="Judge how far results can be trusted; empty: as params_file.",
        ),
        DeclareLaunchArgument(
            "sentinel",
            default_value="",
            choices=_ON_OFF,
            description="Have the encoders from before hardening judge too; empty: as params_file.",
        ),
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="",
            choices=_ON_OFF,
            description="Take the time from /clock; empty: as params_file.",
        ),
        DeclareLaunchArgument(
            "autostart",
            default_value="true",
            choices=["true", "false"],
            description="Configure and activate the node without being told to.",
        ),
        DeclareLaunchArgument(
            "use_respawn",
            default_value="false",
            choices=["true", "false"],
            description="Start the node again if it ends by itself.",
        ),
        DeclareLaunchArgument(
            "log_level",
            default_value="info",
            choices=["debug", "info", "warn", "error", "fatal"],
            description="Lowest level that is logged.",
        ),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_node)])


def _node(context: LaunchContext) -> list[LifecycleNode]:
    """Arguments that were given win over the parameter file; the others leave it alone."""

    def given(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    parameters = {"autostart": given("autostart") == "true"}
    for name in ("bundle", "backend"):
        if word := given(name):
            parameters[name] = word
    for name in ("trusted_keys", "modalities", "labels"):
        if words := given(name):
            parameters[name] = _listed(words)
    for name, parameter in _SWITCHES.items():
        if switch := given(name):
            parameters[parameter] = switch == "true"
    return [
        LifecycleNode(
            package="rvl_edge",
            executable="perception_node",
            name="perception",
            namespace=given("namespace"),
            parameters=[ParameterFile(given("params_file"), allow_substs=True), parameters],
            remappings=[(topic, given(f"{topic}_topic")) for topic in _TOPICS],
            arguments=["--ros-args", "--log-level", given("log_level")],
            respawn=given("use_respawn") == "true",
            respawn_delay=2.0,
            output="screen",
        )
    ]


def _listed(words: str) -> list[str]:
    """Words between commas, or a list in YAML, whose words may be quoted and hold commas."""
    if words.startswith("["):
        return yaml.load(words, yaml.BaseLoader) or [""]  # that loader leaves `no` and `1` the words they are
    return [each.strip() for each in words.split(",")]
