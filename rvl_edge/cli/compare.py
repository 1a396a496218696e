# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge compare`: evaluations side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rvl_edge.cli.arguments import existing
from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import Json, print_json, print_table


def run(
    results: Annotated[list[Path], typer.Argument(help="Files that `rvl-edge evaluate --out` wrote.")],
    *,
    against: Annotated[
        str | None, typer.Option(help="Name of the encoder that the others' differences are to.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    as_json: Json = False,
) -> None:
    """Put evaluations of the same samples into one table, with 95 % intervals.

    With --against, each figure is followed by its paired difference in points.
    """
    paths = [existing(path) for path in results]
    with offline_half("compare"):
        from rvl_edge.offline.evaluation import comparing
        from rvl_edge.offline.evaluation.results import read_evaluation

    table = comparing.compare([read_evaluation(path) for path in paths], against)
    if as_json:
        print_json({"table": table})
    elif markdown:
        typer.echo(comparing.markdown(table), nl=False)
    else:
        heads, rows = comparing.cells(table)
        print_table(heads, rows, title=table.title)
