# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge export`: checkpoints to a bundle, by a recipe."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rvl_edge.cli.arguments import existing
from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import Json, print_json, print_table
from rvl_edge.cli.progress import progress

if TYPE_CHECKING:
    from rvl_edge.offline.exporting.parity import Parity

_COLUMNS = (
    "graph",
    "runtime",
    "samples",
    "smallest cosine to the checkpoint",
    "largest difference",
    "same label",
)


def run(
    recipe: Annotated[Path, typer.Argument(help="What to export, such as export/tiny.yaml.")],
    *,
    out: Annotated[Path | None, typer.Option(help="Folder to write instead of the recipe's.")] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="Folder of real samples to compare on: a folder a sense, or the labelled sets."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Build a bundle from checkpoints.

    Each graph is compared with its checkpoint. If one disagrees, exits with 1 and what was there stays. The
    comparisons and their worst samples are left beside the bundle in OUT.parity/ either way.
    """
    path = existing(recipe)
    with offline_half("export"):
        from rvl_edge.offline.exporting.export import export_bundle
        from rvl_edge.offline.towers.weights import shortened

    with nullcontext() if as_json else progress() as advance:
        report = export_bundle(path, out, files=samples, on_step=advance)
    if as_json:
        print_json(report)
        return
    runs = (report.parity, *report.others.values())
    print_table(_COLUMNS, (_row(graph, each) for run in runs for graph, each in run.items()))
    for what, noted in (("passed over", report.ignored), ("assumed", report.assumed)):
        for checkpoint, each in noted.items():
            typer.echo(f"{checkpoint}: {what} {shortened(each)}")
    typer.echo(f"{report.path}: {report.size / 1e6:.1f} MB")


def _row(graph: str, parity: Parity) -> tuple[str, ...]:
    same = "" if parity.top1_agreement is None else f"{parity.top1_agreement:.1%}"
    return (
        graph,
        parity.backend,
        f"{parity.samples} ({parity.source})",
        f"{parity.cosine_min:.6f}",
        f"{parity.max_abs:.1e}",
        same,
    )
