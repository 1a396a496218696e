# SPDX-License-Identifier: Apache-2.0
"""Launch the replay node: `ros2 launch rvl_edge replay.launch.py image:=clip.mp4 thermal:=stack.npy`."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


def generate_launch_description() -> LaunchDescription:
    """The arguments, and the node made from them."""
    arguments = {
        "namespace": ("", "Namespace of the node and its topics."),
        "image": ("demo", "Picture, video, folder of those, device:N, spoof, or demo; none: nothing."),
        "thermal": ("demo", "Picture, .npy stack, folder of those, spoof, or demo; none: nothing."),
        "depth": ("none", "16-bit picture, .npy stack, or folder of those; none: nothing."),
        "audio": ("demo", "Sound file, or demo; none: nothing."),
        "image_rate": ("15.0", "Pictures a second."),
        "thermal_rate": ("9.0", "Thermal pictures a second."),
        "depth_rate": ("15.0", "Depth pictures a second."),
        "loop": ("true", "Begin files anew at their end."),
        "use_sim_time": ("false", "Stamp with the time of /clock."),
    }
    given = {name: LaunchConfiguration(name) for name in arguments}
    parameters = {
        **{
            f"{sense}.source": ParameterValue(given[sense], value_type=str)
            for sense in ("image", "thermal", "depth", "audio")
        },
        **{
            f"{sense}.rate": ParameterValue(given[f"{sense}_rate"], value_type=float)
            for sense in ("image", "thermal", "depth")
        },
        **{switch: ParameterValue(given[switch], value_type=bool) for switch in ("loop", "use_sim_time")},
    }
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in arguments.items()
            ),
            Node(
                package="rvl_edge",
                executable="replay_node",
                name="replay",
                namespace=given["namespace"],
                parameters=[parameters],
                output="screen",
            ),
        ]
    )
