# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys

import pytest

from rvl_edge._memory import resident_bytes

HELD = """
from rvl_edge._memory import resident_bytes, return_freed_memory
before = resident_bytes()
blocks = [bytes([1]) * 65536 for _ in range(1600)]  # 100 MB of the C library's heap
full = resident_bytes()
kept = blocks[::40]  # scattered, so that nothing around them can be given back by shrinking the heap
del blocks
return_freed_memory()
after = resident_bytes()
assert full - before > 90e6, (before, full)
assert after - before < 40e6, (before, full, after)
"""


@pytest.mark.skipif(resident_bytes() is None, reason="this system does not say how much memory is resident")
def test_memory_that_was_freed_goes_back_to_the_system() -> None:
    subprocess.run([sys.executable, "-c", HELD], check=True, timeout=60)
