# SPDX-License-Identifier: Apache-2.0
"""Graphs in eight bits, by explicit Q/DQ, held to what they were in float32."""

from __future__ import annotations

from rvl_edge.offline.quantising.quantise import QuantisedSense, QuantiseReport, quantise_bundle

__all__ = ["QuantiseReport", "QuantisedSense", "quantise_bundle"]
