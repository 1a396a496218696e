# SPDX-License-Identifier: Apache-2.0
"""How far long work is, on standard error, so that standard output stays the result's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import TaskID


class Advance(Protocol):
    """Takes how many of a task's units are done."""

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Move the bar of a task, which appears when it is first named."""


@contextmanager
def progress(*, in_bytes: bool = False) -> Iterator[Advance]:
    """A bar a task, with elapsed and remaining time."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    count = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), count)
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), *times, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(task: str, done: int, total: int, note: str = "") -> None:
            if task not in tasks:
                tasks[task] = bars.add_task(task, note=note)
            bars.update(tasks[task], completed=done, total=total, note=note)

        yield advance
