# SPDX-License-Identifier: Apache-2.0
"""What robust encoders are trained for, one file a method."""

from __future__ import annotations

from typing import Any

from rvl_edge.offline.hardening.objectives.agft import Agft
from rvl_edge.offline.hardening.objectives.fare import Fare
from rvl_edge.offline.hardening.objectives.lore import Lore
from rvl_edge.offline.hardening.objectives.mat import Mat, MatPlus
from rvl_edge.offline.hardening.objectives.mmcoa import Mmcoa
from rvl_edge.offline.hardening.objectives.rlbind import Rlbind
from rvl_edge.offline.hardening.objectives.tecoa import Tecoa

OBJECTIVES: dict[str, type[Any]] = {
    "fare": Fare,
    "tecoa": Tecoa,
    "rlbind": Rlbind,
    "lore": Lore,
    "agft": Agft,
    "mmcoa": Mmcoa,
    "mat": Mat,
    "mat_plus": MatPlus,
}
