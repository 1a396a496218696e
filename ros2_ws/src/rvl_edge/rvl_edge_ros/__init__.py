# SPDX-License-Identifier: Apache-2.0
"""The rvl_edge SDK as ROS 2 nodes: perception, replay, and the demo that joins them."""
