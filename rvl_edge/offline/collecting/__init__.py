# SPDX-License-Identifier: Apache-2.0
"""Recordings and folders -> a few hundred samples that stand for all of them."""

from __future__ import annotations

from rvl_edge.offline.collecting.collect import Collected, collect
from rvl_edge.offline.collecting.manifest import read_samples

__all__ = ["Collected", "collect", "read_samples"]
