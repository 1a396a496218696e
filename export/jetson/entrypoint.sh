#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Sources ROS 2, the workspace and the environment, then runs what was asked for.
set -e
. "/opt/ros/$ROS_DISTRO/setup.bash"
. /opt/rvl_edge/ros2_ws/install/setup.bash
. /opt/rvl_edge/.venv/bin/activate
exec "$@"
