#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: with_ros.sh COMMAND [ARGUMENT...]. Run a command with the workspace that colcon built, where there is one.
overlay=$(dirname "$0")/../ros2_ws/install/setup.sh
if [ -n "${ROS_DISTRO:-}" ] && [ -f "$overlay" ]; then
  COLCON_CURRENT_PREFIX=$(dirname "$overlay")
  . "$overlay"
fi
exec "$@"
