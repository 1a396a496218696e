# SPDX-License-Identifier: Apache-2.0
"""How far a perception can be believed: monitors, calibrated confidence, fusion of several senses."""

from __future__ import annotations

from rvl_edge.trust.fusion import Fusion, Scene, Vote

__all__ = ["Fusion", "Scene", "Vote"]
