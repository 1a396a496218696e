# SPDX-License-Identifier: Apache-2.0
"""How far a perception can be believed: monitors, calibrated confidence, and what several senses say together."""

from __future__ import annotations

from rvl_edge.trust.fusion import Fusion, Scene, Vote

__all__ = ["Fusion", "Scene", "Vote"]
