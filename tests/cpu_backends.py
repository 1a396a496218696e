# SPDX-License-Identifier: Apache-2.0
"""The backends that need no GPU."""

from __future__ import annotations

CPU_BACKENDS = ("onnxruntime", "openvino", "openvino-bf16")
