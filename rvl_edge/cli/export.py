# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge export`: checkpoints to a bundle, by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rvl_edge.cli.arguments import existing
from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import Json, print_json, print_table


def run(
    recipe: Annotated[Path, typer.Argument(help="What to export, such as export/tiny.yaml.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write instead of the recipe's.")] = None,
    as_json: Json = False,
) -> None:
    """Build a bundle from checkpoints.

    Each graph is compared with its checkpoint. If one disagrees, exits with 1 and what was there stays.
    """
    path = existing(recipe)
    with offline_half("export"):
        from rvl_edge.offline.exporting import export_bundle

    report = export_bundle(path, out)
    if as_json:
        print_json(report)
        return
    rows = [
        (name, str(each.samples), f"{each.cosine_min:.6f}", f"{each.max_abs:.1e}")
        for name, each in report.parity.items()
    ]
    print_table(("graph", "samples", "smallest cosine to the checkpoint", "largest difference"), rows)
    typer.echo(f"{report.path}: {report.size / 1e6:.1f} MB")
