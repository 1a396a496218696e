#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Usage: demo.sh PYTHON [ARGUMENT...]. The ROS 2 demo; without rclpy, what there is without ROS, and how to get it.
set -eu
python=$1
shift
with_ros=$(dirname "$0")/with_ros.sh
if "$with_ros" "$python" -c 'import rclpy, rvl_edge_msgs, rvl_edge_ros' >/dev/null 2>&1; then
  exec "$with_ros" "$python" -m rvl_edge_ros.demo "$@"
fi
echo 'No ROS 2 for this interpreter (see above), so no node: the same encoders on a photograph instead.' >&2
echo 'For the node, use Linux x86-64 with a CPython that has ROS wheels, or source a ROS 2 installation.' >&2
photograph=$("$python" -c 'import skimage, os; print(os.path.join(os.path.dirname(skimage.__file__), "data", "chelsea.png"))')
exec "$python" -m rvl_edge.cli perceive "$photograph"
