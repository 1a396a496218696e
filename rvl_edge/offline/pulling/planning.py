# SPDX-License-Identifier: Apache-2.0
"""What a pull would do: which files are here already, whole or begun, and what is still to come."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from rvl_edge.errors import ConfigError, HashMismatch, PullError
from rvl_edge.offline.pulling.hub import look_up
from rvl_edge.offline.pulling.naming import Source
from rvl_edge.offline.pulling.pinned import PIN_NAME, HubFile, Pin, Report, read_pin


@dataclass(frozen=True)
class Step:
    """One file of a plan.

    Attributes:
        file: what its bytes must be.
        here: where these bytes already are, if anywhere.
        missing: bytes still to download.
    """

    file: HubFile
    here: Path | None
    missing: int


@dataclass(frozen=True)
class Plan:
    """A pull that can be carried out, or looked at.

    Attributes:
        pin: the commit and its files.
        folder: where they go.
        steps: one a file.
        done: the folder is already what the pull would make of it.
    """

    pin: Pin
    folder: Path
    steps: tuple[Step, ...]
    done: bool

    @property
    def missing(self) -> int:
        """Bytes still to download."""
        return sum(step.missing for step in self.steps)


def staging_of(folder: Path) -> Path:
    """Where files are kept until all are there: beside the folder, so that taking its place is a renaming."""
    return folder.parent / f".{folder.name}.pulling"


def partial_path(staging: Path, file: HubFile) -> Path:
    """Where the beginning of a file is kept. The hash in the name keeps it from becoming another's."""
    return staging / f"{file.name}.{(file.sha256 or file.git_oid or '')[:16]}.partial"


def plan_pull(source: Source, folder: Path, report: Report) -> Plan:
    """Ask the hub what a revision holds, and hash what of it is here. Nothing is written.

    The commit that a folder holds already is checked against its `pulled.json`, without the hub.

    Raises:
        HubNotFound: no such repository or revision.
        PullError: the hub cannot be reached or gives no access, or the disk is too small.
        CheckpointError: the repository holds no checkpoint that can be read.
        HashMismatch: a file was altered, and the hub cannot be reached for it.
        ConfigError: the folder holds what was not pulled from this repository.
    """
    folder = folder.expanduser().resolve()  # of a link, the folder behind it is replaced
    before = read_pin(folder) if folder.is_dir() else None
    _refuse_other_content(folder, before, source)
    altered: list[str] = []
    if before is not None and source.revision == before.commit:
        steps = _steps(before, folder, report)
        altered = [step.file.name for step in steps if step.here != folder / step.file.name]
        if not altered:
            return Plan(before, folder, steps, done=True)
    try:
        pin = look_up(source)
    except PullError as error:
        if not altered:
            raise
        raise HashMismatch(
            f"{folder} no longer holds what was pulled",
            got=", ".join(altered),
            fix="run the same command where the hub can be reached: it fetches them again",
        ) from error
    steps = _steps(pin, folder, report)
    unchanged = all(step.here == folder / step.file.name for step in steps)
    if before is not None and unchanged and _same_files(before, pin):
        return Plan(before, folder, steps, done=True)
    plan = Plan(pin, folder, steps, done=False)
    _refuse_small_disk(plan)
    return plan


def _steps(pin: Pin, folder: Path, report: Report) -> tuple[Step, ...]:
    return tuple(_step(file, folder, report) for file in pin.files)


def _step(file: HubFile, folder: Path, report: Report) -> Step:
    for path in (folder / file.name, staging_of(folder) / file.name):
        if file.matches(path, report):
            return Step(file, path, 0)
    partial = partial_path(staging_of(folder), file)
    begun = partial.stat().st_size if partial.is_file() else 0
    return Step(file, None, max(file.size - begun, 0))


def _same_files(one: Pin, other: Pin) -> bool:
    names = [{file.name for file in each.files} for each in (one, other)]
    return one.commit == other.commit and names[0] == names[1]


def _refuse_other_content(folder: Path, before: Pin | None, source: Source) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError("the folder to pull into is a file", got=folder, fix="name another with --out")
    if before is not None and before.repo != source.repo:
        raise ConfigError(
            f"{folder} holds another repository",
            got=before.repo,
            expected=source.repo,
            fix="name another folder with --out, or remove this one",
        )
    known = set() if before is None else {PIN_NAME, *(file.name for file in before.files)}
    strange = sorted({path.name for path in folder.iterdir()} - known) if folder.is_dir() else []
    if strange:
        raise ConfigError(
            f"{folder} holds files that were not pulled",
            got=", ".join(strange[:5]),
            fix="move them elsewhere, or name another folder with --out",
        )


def _refuse_small_disk(plan: Plan) -> None:
    there = next(path for path in (plan.folder, *plan.folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if plan.missing > free:
        raise PullError(
            f"too little space for {plan.pin.repo} at {plan.folder}",
            got=f"{free / 1e9:.2f} GB free",
            expected=f"{plan.missing / 1e9:.2f} GB",
            fix="free space, or name a folder on another disk with --out",
        )
