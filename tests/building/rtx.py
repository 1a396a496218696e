# SPDX-License-Identifier: Apache-2.0
"""Real builds need tensorrt_rtx, which is an x86-64 wheel."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

needs_rtx = pytest.mark.skipif(
    find_spec("tensorrt_rtx") is None, reason="tensorrt_rtx is not installed: pip install tensorrt_rtx"
)
