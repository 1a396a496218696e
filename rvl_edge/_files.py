# SPDX-License-Identifier: Apache-2.0
"""Writing files and folders so that a crash leaves the old content or the new, never a mixture."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write_atomic(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data`, durable once this returns."""
    with file_atomic(path) as file:
        file.write(data)


@contextmanager
def file_atomic(path: Path) -> Iterator[BinaryIO]:
    """Write a new file beside `path`, which takes its place when the block ends without an error."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


@contextmanager
def folder_atomic(path: Path) -> Iterator[Path]:
    """Fill a new folder beside `path`, which takes its place when the block ends without an error.

    A folder already at `path` stays whole until then and is removed after. What a killed writer left behind
    is cleared by the next one; a lock on the unfinished folder tells a killed writer from one still at
    work.

    Yields:
        The folder to fill.
    """
    path = path.resolve()  # of a link, the folder behind it is replaced
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(path)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    lock = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        partial.chmod(0o755)
        yield partial
        put_folder(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # the unfinished folder, or after the exchange the old one
        os.close(lock)


def put_folder(new: Path, path: Path) -> None:
    """Flush a folder to disk and put it at `path`, beside it; one already there takes the place of `new`."""
    _sync_tree(new)
    if path.exists():
        _exchange(new, path)
    else:
        new.rename(path)
    _sync_folder(path.parent)


def _clear_abandoned(path: Path) -> None:
    for partial in path.parent.glob(f".{path.name}.*.partial"):
        with suppress(OSError):
            lock = os.open(partial, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(partial, ignore_errors=True)
            finally:
                os.close(lock)


def _exchange(new: Path, old: Path) -> None:
    """Swap two folders in one step where the kernel and file system can, in two renames elsewhere."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        arguments = (_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old), _RENAME_EXCHANGE)
        if hasattr(libc, "renameat2") and libc.renameat2(*arguments) == 0:
            return
    aside = new.with_suffix(".old")
    old.rename(aside)
    try:
        new.rename(old)
    except OSError:
        aside.rename(old)
        raise
    aside.rename(new)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_dir():
            _sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
