# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs of a bundle -> TensorRT engines in it. Needs no torch: a robot builds its own."""

from __future__ import annotations

from rvl_edge.offline.building.build import BuildReport, BuiltEngine, build_engines
from rvl_edge.offline.building.gating import craft_frames

__all__ = ["BuildReport", "BuiltEngine", "build_engines", "craft_frames"]
