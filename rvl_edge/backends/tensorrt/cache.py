# SPDX-License-Identifier: Apache-2.0
"""A file that makes the next build or start faster, shared by processes, and never worth a failure."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

from rvl_edge._files import write_atomic


class CacheFile:
    """One file below the user's cache folder.

    TensorRT's caches hold compiled kernels, so a file or folder that others may write to is not read.

    Args:
        name: the file's name.
        folder: where; None is `$XDG_CACHE_HOME/rvl-edge`, or `~/.cache/rvl-edge`.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self._path = (_default_folder() if folder is None else folder) / name

    def read(self) -> bytes | None:
        """Its content; None if there is none that can be trusted."""
        try:
            _check_private(self._path.parent.stat())
            with self._path.open("rb") as file:
                _check_private(os.fstat(file.fileno()))
                return file.read()
        except OSError:
            return None

    def update(self, merge: Callable[[bytes | None], bytes]) -> str | None:
        """Replace its content in one step, while no other process does.

        Args:
            merge: takes what is there now and returns what shall be there.

        Returns:
            Why it could not be written, or None if it was.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_private(self._path.parent.stat())
            with self._path.with_name(f"{self._path.name}.lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                write_atomic(self._path, merge(self.read()))
        except OSError as error:
            return str(error)
        return None


def _default_folder() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    try:
        return base.expanduser() / "rvl-edge"
    except RuntimeError:  # no home: /dev/null is no folder, so nothing is read or kept
        return Path(os.devnull)


def _check_private(status: os.stat_result) -> None:
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError("others may write to it")
