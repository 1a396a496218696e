# SPDX-License-Identifier: Apache-2.0
"""What kind of board this is."""

from __future__ import annotations

import os
from pathlib import Path

BOARD_VARIABLE = "RVL_EDGE_BOARD"


def board_model(root: Path = Path("/")) -> str | None:
    """The model that a board's device tree names, such as "NVIDIA Jetson AGX Orin Developer Kit".

    Containers hide the device tree: theirs is told by the variable RVL_EDGE_BOARD.

    Args:
        root: where /proc is.

    Returns:
        None on a machine without a device tree, as PCs are.
    """
    try:
        named = (root / "proc/device-tree/model").read_text(errors="replace").strip("\0\n ")
    except OSError:
        named = ""
    return named or os.environ.get(BOARD_VARIABLE) or None
