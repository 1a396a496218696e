# SPDX-License-Identifier: Apache-2.0
"""The rvl_edge SDK as ROS 2 nodes: perception, replay, and the demo that joins them."""

import os

# OpenBLAS's threads spin on for longer than the next picture takes to come: a whole core for nothing. It
# reads this when NumPy is imported, which is after this package.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
