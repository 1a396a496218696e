# SPDX-License-Identifier: Apache-2.0
"""NumPy array files, never unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadEncoding


def is_array(head: bytes) -> bool:
    """Whether a file that begins so is an .npy file."""
    return head[:6] == b"\x93NUMPY"


def read_array(path: Path) -> npt.NDArray[Any]:
    """Map an .npy file into memory, read-only; a stack larger than memory is fine.

    Raises:
        BadEncoding: damaged, truncated, empty, or an array of Python objects.
    """
    try:
        # Mapping checks the size in the header against the file's before any memory is taken.
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # the header is a Python literal: damage raises whatever its parser can
        raise BadEncoding(
            "an array file cannot be read",
            got=f"{path}: {error}",
            expected="a whole .npy file of numbers",
            fix="write it with numpy.save(path, array, allow_pickle=False)",
        ) from error
    return array
