# SPDX-License-Identifier: Apache-2.0
"""Reading a bundle's files: inside the folder, of the declared size and hash, or not at all."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from rvl_edge.bundle.manifest import FileRef
from rvl_edge.errors import BundleError, HashMismatch, UnsafePath

_RESTORE = "get the bundle again from where it came, or export it again with `rvl-edge export`"
_PIECE = 1 << 20  # bytes hashed at a time


def read_verified(root: Path, reference: FileRef) -> bytes:
    """The bytes of one file, after its path, size and SHA-256 were checked.

    Whoever parses a file of a bundle parses what this returned, so that nothing can change between check
    and use. Hard links are accepted (package managers make them): their bytes are checked like any other's.

    Raises:
        UnsafePath: the path leaves the folder, by its name or by a link, or is no regular file.
        HashMismatch: the file is missing, of another size, or of other content.
        BundleError: the system does not let it be read.
    """
    with _opened(root, reference) as file:
        content = file.read(reference.size)
    _compare(hashlib.sha256(content).hexdigest(), reference)
    return content


def check_file(root: Path, reference: FileRef, *, content: bool) -> None:
    """Raise what `read_verified` would, without holding the file in memory.

    Args:
        root: the bundle's folder.
        reference: the file.
        content: whether to read it through; otherwise only path, kind and size are checked.
    """
    with _opened(root, reference) as file:
        if content:
            _compare(hash_file(file), reference)


def hash_file(file: BinaryIO) -> str:
    """SHA-256 of what is left in an open file, a piece at a time."""
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


@contextmanager
def open_regular(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file to be read; neither a pipe's writer nor a device is waited for.

    Args:
        path: where it is.
        name: what to call it in errors.

    Raises:
        UnsafePath: it is no regular file.
        OSError: as `open`.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnsafePath(f"{name} is no regular file", fix=_RESTORE)
        yield file


@contextmanager
def _opened(root: Path, reference: FileRef) -> Iterator[BinaryIO]:
    path = _inside(root, reference.path)
    try:
        with open_regular(path, reference.path) as file:
            size = os.fstat(file.fileno()).st_size
            if size != reference.size:
                raise HashMismatch(
                    f"{reference.path} has another size than the manifest says",
                    got=f"{size} bytes",
                    expected=f"{reference.size} bytes",
                    fix=_RESTORE,
                )
            yield file
    except OSError as error:
        fix = "check the file's permissions and the disk"
        raise BundleError(f"{reference.path} cannot be read", got=error, fix=fix) from None


def _compare(digest: str, reference: FileRef) -> None:
    if digest != reference.sha256:
        raise HashMismatch(
            f"{reference.path} is not the file the manifest was written for",
            got=f"SHA-256 {digest}",
            expected=reference.sha256,
            fix=_RESTORE,
        )


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe would make open() wait for its writer


def _inside(root: Path, name: str) -> Path:
    pure = PurePosixPath(name)
    plain = name.isprintable() and "\\" not in name and ":" not in name and pure.as_posix() == name
    if not plain or pure.is_absolute() or ".." in pure.parts:
        raise UnsafePath(
            "a path in the manifest is no plain path below the bundle",
            got=repr(name),
            expected="relative, with / between parts, without '..'",
            fix=_RESTORE,
        )
    home = root.resolve()
    try:
        path = (home / pure).resolve(strict=True)
    except FileNotFoundError:
        raise HashMismatch(f"{name} is missing from the bundle", fix=_RESTORE) from None
    except (OSError, RuntimeError) as error:  # a loop of links: RuntimeError before Python 3.13
        raise UnsafePath(f"{name} cannot be followed to a file", got=error, fix=_RESTORE) from None
    if not path.is_relative_to(home):
        raise UnsafePath(f"{name} is a link that leaves the bundle", got=path, fix=_RESTORE)
    return path
