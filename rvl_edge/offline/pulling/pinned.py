# SPDX-License-Identifier: Apache-2.0
"""`pulled.json`: which commit of which repository a folder holds, and the hash of every file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from rvl_edge._validation import complaints
from rvl_edge.errors import ConfigError

PIN_NAME = "pulled.json"
_BLOCK = 1 << 22

Report = Callable[[str, int, int], None]
"""Takes a task, how many bytes of it are done, and how many there are."""


@dataclass(frozen=True)
class HubFile:
    """One file of a commit. What a hub says of it is checked when this is made.

    Attributes:
        name: its path, which is that of a file directly in the repository.
        size: in bytes.
        sha256: hash of its bytes. The hub knows those of large files (Git LFS); a pin has all.
        git_oid: the SHA-1 that Git gives its bytes, where the hub stores it in Git.
    """

    name: Annotated[str, Field(pattern=r"^[\w][\w.-]*$")]
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    git_oid: Annotated[str, Field(pattern="^[0-9a-f]{40}$")] | None = None

    @model_validator(mode="after")
    def _hashed(self) -> HubFile:
        if self.sha256 is None and self.git_oid is None:
            raise ValueError("a file without a hash")
        return self

    def matches(self, path: Path, report: Report) -> bool:
        """Whether the file at `path` has these bytes; one that is not there has not."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        if self.sha256 is not None:
            return self.hash(path, report) == self.sha256
        content = path.read_bytes()
        framed = b"blob %d\0" % len(content) + content
        return hashlib.sha1(framed, usedforsecurity=False).hexdigest() == self.git_oid

    def hash(self, path: Path, report: Report) -> str:
        """SHA-256 of the file at `path`, reporting how far it is where that takes a while."""
        done, digest = 0, hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                done += len(block)
                if self.size > _BLOCK:
                    report(f"check {self.name}", done, self.size)
        return digest.hexdigest()


@dataclass(frozen=True)
class Pin:
    """One commit of a repository, and those of its files that a checkpoint needs."""

    repo: str
    revision: str
    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    files: Annotated[tuple[HubFile, ...], Field(min_length=1)]


_PIN = TypeAdapter(Pin)


def read_pin(folder: Path) -> Pin | None:
    """The pin of a folder, if it has one.

    Raises:
        ConfigError: a `pulled.json` that is none of ours.
    """
    path = folder / PIN_NAME
    try:
        return _PIN.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ConfigError(
            f"{path} cannot be read", got=complaints(error), fix="name another folder with --out"
        ) from None


def pin_document(pin: Pin) -> bytes:
    """Content of `pulled.json`."""
    return _PIN.dump_json(pin, indent=2) + b"\n"
