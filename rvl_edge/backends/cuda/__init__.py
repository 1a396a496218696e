# SPDX-License-Identifier: Apache-2.0
"""CUDA memory, streams and graphs behind one small interface, whichever Python binding is installed."""

from __future__ import annotations

from rvl_edge.backends.cuda.interface import Cuda, Device
from rvl_edge.backends.cuda.opening import LIBRARIES, open_cuda

__all__ = ["LIBRARIES", "Cuda", "Device", "open_cuda"]
