# SPDX-License-Identifier: Apache-2.0
"""`python -m rvl_edge.cli` where the `rvl-edge` script is not on PATH."""

from __future__ import annotations

from rvl_edge.cli.main import main

main()
