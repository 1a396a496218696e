# SPDX-License-Identifier: Apache-2.0
"""NumPy archives, read without pickle."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import ConfigError


def open_archive(path: Path, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Read the named arrays of an `.npz` file.

    Raises:
        ConfigError: no archive, a broken one, one that holds objects, or an array that is missing.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"the archive {path} cannot be used",
            got=error,
            expected=f"arrays {', '.join(names)}",
            fix="copy it again",
        ) from None
