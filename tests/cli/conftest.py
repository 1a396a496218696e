# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine


@pytest.fixture
def rvl_edge(tmp_path: Path) -> CommandLine:
    """`rvl-edge`, run in the test's own folder."""
    return CommandLine(tmp_path)
