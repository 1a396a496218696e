# SPDX-License-Identifier: Apache-2.0
"""Checkpoints -> ONNX graphs -> bundle, with a parity gate between them."""

from __future__ import annotations

from rvl_edge.offline.exporting.export import ExportReport, export_bundle
from rvl_edge.offline.exporting.parity import Parity

__all__ = ["ExportReport", "Parity", "export_bundle"]
