# SPDX-License-Identifier: Apache-2.0
"""What an encoder that was made smaller or faster must prove before it is shipped.

Needs no torch, but for `crafting`.
"""

from __future__ import annotations

from rvl_edge.offline.gates.frames import Attacked, Frames, Response, ask
from rvl_edge.offline.gates.gate import Drop, GateReport, hold, report_json, require
from rvl_edge.offline.gates.recipe import GateRecipe
from rvl_edge.offline.gates.replay import Replay, read_replay, store_replay

__all__ = [
    "Attacked",
    "Drop",
    "Frames",
    "GateRecipe",
    "GateReport",
    "Replay",
    "Response",
    "ask",
    "hold",
    "read_replay",
    "report_json",
    "require",
    "store_replay",
]
