# SPDX-License-Identifier: Apache-2.0
"""Quantising and its gates need torch; on a Python without it these tests are left out."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["*.py"]
