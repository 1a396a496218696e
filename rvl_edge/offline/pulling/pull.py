# SPDX-License-Identifier: Apache-2.0
"""Carrying a plan out: the folder becomes the commit's files in one step, or stays as it was."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rvl_edge._files import put_folder, write_atomic
from rvl_edge.errors import PullError
from rvl_edge.offline.pulling.fetching import fetch_file
from rvl_edge.offline.pulling.pinned import PIN_NAME, Pin, Report, pin_document
from rvl_edge.offline.pulling.planning import Plan, staging_of


@dataclass(frozen=True)
class Pulled:
    """What a folder holds after a pull.

    Attributes:
        path: the folder.
        pin: repository, commit and files, as in its `pulled.json`.
        fetched: names of the files that were downloaded for it; the others were there, and right.
    """

    path: Path
    pin: Pin
    fetched: tuple[str, ...]


def pull(plan: Plan, report: Report) -> Pulled:
    """Download what is missing, then put the whole folder in place.

    What was cut off, by a kill too, is gone on with by the next pull into the same folder.

    Raises:
        HashMismatch: a file came with other bytes than the hub lists.
        PullError: the network, the hub or the disk gave up, or another pull is at work on the folder.
    """
    if plan.done:
        return Pulled(plan.folder, plan.pin, ())
    staging = staging_of(plan.folder)
    with _disk_errors(plan.folder), _lock(staging):
        for step in plan.steps:
            if step.here is None:
                fetch_file(plan.pin, step.file, staging, report)
            elif step.here.parent != staging:
                _link(step.here, staging / step.file.name)
        files = tuple(
            replace(file, sha256=file.sha256 or file.hash(staging / file.name, report))
            for file in plan.pin.files
        )
        pin = replace(plan.pin, files=files)
        for stray in {path.name for path in staging.iterdir()} - {file.name for file in files}:
            (staging / stray).unlink()  # of a revision that was given up
        write_atomic(staging / PIN_NAME, pin_document(pin))
        put_folder(staging, plan.folder)
        shutil.rmtree(staging, ignore_errors=True)  # what was at the folder before
    return Pulled(plan.folder, pin, tuple(step.file.name for step in plan.steps if step.here is None))


def _link(path: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(path, target)
    except OSError:  # the file system has no hard links
        shutil.copyfile(path, target)


@contextmanager
def _lock(staging: Path) -> Iterator[None]:
    staging.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(staging, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise PullError(
            "another pull is at work on this folder", got=staging, fix="wait for it, or end it"
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PullError(
            f"{folder} cannot be written",
            got=error,
            fix="check its permissions and the space on its disk, or name another folder with --out",
        ) from None
