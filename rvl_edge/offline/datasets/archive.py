# SPDX-License-Identifier: Apache-2.0
"""Files of arrays, read without running what they hold."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import ConfigError

_ARRAY_PARTS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
_FAULTS = (OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, pickle.UnpicklingError)


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


def open_batch(path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Read one official CIFAR batch: pictures (N, 3072), planes after each other, and labels (N,).

    The official files are pickles. Only arrays and plain values are rebuilt from them; anything else that a
    pickle can name is refused before it is called.

    Raises:
        ConfigError: no such file, a broken one, or one that holds anything else.
    """
    try:
        with path.open("rb") as file:
            batch = _ArrayUnpickler(file, encoding="bytes").load()
        return np.asarray(batch[b"data"], np.uint8), np.asarray(batch[b"labels"], np.int64)
    except _FAULTS as error:
        raise ConfigError(
            f"the batch {path} cannot be used", got=error, fix="download the set again"
        ) from None


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module.replace("numpy._core", "numpy.core"), name) not in _ARRAY_PARTS:
            raise pickle.UnpicklingError(f"a CIFAR batch has no use for {module}.{name}")
        return super().find_class(module, name)
