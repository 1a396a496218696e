# SPDX-License-Identifier: Apache-2.0
"""TensorRT and TensorRT for RTX: engines of a bundle, run without torch."""

from __future__ import annotations
