# SPDX-License-Identifier: Apache-2.0
"""How much memory this process holds, and giving back what it no longer needs."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path


def resident_bytes() -> int | None:
    """Memory of this process that is in RAM; None on systems other than Linux."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def return_freed_memory() -> None:
    """Hand freed memory back to the system, of which glibc would keep gigabytes; elsewhere do nothing."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):  # musl, macOS; Windows has no handle of the process
        return
