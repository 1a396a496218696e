# SPDX-License-Identifier: Apache-2.0
"""The border between the workstation and the robot: a checked folder of graphs, text tower and labels."""

from __future__ import annotations

from rvl_edge.bundle.opening import Bundle
from rvl_edge.bundle.verifying import Check, Verdict, VerifyReport, verify

__all__ = ["Bundle", "Check", "Verdict", "VerifyReport", "verify"]
