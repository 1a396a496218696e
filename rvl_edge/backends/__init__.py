# SPDX-License-Identifier: Apache-2.0
"""Runtimes that encode batches, behind one protocol."""

from __future__ import annotations

from rvl_edge.backends.onnxruntime import OnnxRuntimeSession
from rvl_edge.backends.session import IOSpec, Session, TensorSpec

__all__ = ["IOSpec", "OnnxRuntimeSession", "Session", "TensorSpec"]
