# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge verify`: every check of a bundle with its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rvl_edge.cli.output import Json, print_json, print_table


def run(
    path: Annotated[Path | None, typer.Argument(help="A bundle's folder; none is the embedded one.")] = None,
    *,
    key: Annotated[
        list[Path] | None,
        typer.Option(help="Public key that must have signed it; may be repeated, one of them will do."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a bundle's manifest, hashes, paths and graphs, and with --key its signature.

    Exits with 1 if it would be refused.
    """
    from rvl_edge.bundle import verify

    report = verify(path, trusted=key or None)
    if as_json:
        print_json({"ok": report.ok, "root": report.root, "checks": report.checks})
    else:
        rows = [(str(check.verdict), check.subject, check.detail) for check in report.checks]
        print_table(("", "file", ""), rows, title=str(report.root))
        typer.echo("this bundle can be used" if report.ok else "this bundle will be refused")
    raise typer.Exit(0 if report.ok else 1)
