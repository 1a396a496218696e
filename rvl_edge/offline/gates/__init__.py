# SPDX-License-Identifier: Apache-2.0
"""What an encoder that was made smaller or faster must prove before it is shipped."""

from __future__ import annotations

from rvl_edge.offline.gates.frames import Attacked, Frames, anchors_of, gate_frames
from rvl_edge.offline.gates.gate import Drop, GateReport, hold, report_json, require
from rvl_edge.offline.gates.recipe import GateRecipe

__all__ = [
    "Attacked",
    "Drop",
    "Frames",
    "GateRecipe",
    "GateReport",
    "anchors_of",
    "gate_frames",
    "hold",
    "report_json",
    "require",
]
