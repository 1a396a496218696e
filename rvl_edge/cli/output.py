# SPDX-License-Identifier: Apache-2.0
"""Results and errors on the terminal: one JSON document for programs, plain tables for people."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from typing import Annotated, Any

import typer

from rvl_edge.errors import (
    BackendError,
    BundleError,
    BundleNotFound,
    GateFailed,
    HubNotFound,
    MissingDependency,
    PullError,
    RvlEdgeError,
)

_WIDEST = 1000  # characters

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def print_json(value: object) -> None:
    """Print dataclasses, errors, arrays, paths and mappings or sequences of them as one indented document."""
    # Only JSON's own escapes are JSON, so what the stream cannot hold is escaped before it gets there.
    escape = not (sys.stdout.encoding or "").lower().startswith("utf")
    typer.echo(json.dumps(value, indent=2, ensure_ascii=escape, allow_nan=False, default=_plain))


def print_error(error: RvlEdgeError) -> None:
    """Print an error as one message on standard error, with the page about it."""
    typer.echo(f"rvl-edge: {error}\n  see {error.page}", err=True)


def exit_code(error: RvlEdgeError) -> int:
    """1 for a missed gate, 2 for what the caller gave, 3 for what the machine or the bundle lacks."""
    if isinstance(error, GateFailed):
        return 1
    if isinstance(error, (BundleNotFound, HubNotFound)):
        return 2
    return 3 if isinstance(error, (BackendError, BundleError, MissingDependency, PullError)) else 2


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print rows under bold heads; long cells wrap, nothing in them is taken for markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(
        *(Column(each, overflow="fold") for each in columns),  # a path has no blanks to wrap at
        title=Text(title) if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for row in rows:
        table.add_row(*map(Text, row))
    # Rows fold into a terminal's width; a file or a pipe gets a line a row.
    narrow = sys.stdout.isatty() or "COLUMNS" in os.environ
    Console(width=None if narrow else _WIDEST).print(table)


def _plain(value: Any) -> Any:
    if isinstance(value, RvlEdgeError):
        sides = {name: getattr(value, name) for name in ("code", "what", "got", "expected", "fix", "page")}
        return {name: side if side is None else str(side) for name, side in sides.items()}
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return fspath(value) if isinstance(value, PathLike) else value.tolist()
