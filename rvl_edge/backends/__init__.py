# SPDX-License-Identifier: Apache-2.0
"""Runtimes that encode batches, behind one protocol."""

from __future__ import annotations

from rvl_edge.backends.opening import (
    BACKENDS,
    DEFAULT_BACKEND,
    ENGINE_BACKENDS,
    installed_backends,
    open_session,
)
from rvl_edge.backends.session import IOSpec, Session, TensorSpec

__all__ = [
    "BACKENDS",
    "DEFAULT_BACKEND",
    "ENGINE_BACKENDS",
    "IOSpec",
    "Session",
    "TensorSpec",
    "installed_backends",
    "open_session",
]
