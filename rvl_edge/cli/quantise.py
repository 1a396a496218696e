# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge quantise`: a bundle's graphs in eight bits, by a recipe."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rvl_edge.cli.arguments import DataPath, existing
from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import Json, print_json, print_table
from rvl_edge.cli.progress import progress

if TYPE_CHECKING:
    from rvl_edge.offline.gates import Drop
    from rvl_edge.offline.quantising import QuantisedSense

_COLUMNS = ("graph", "MB", "ranges", "cosine", "top-1", "attacked", "frames", "lost at most")


def run(
    recipe: Annotated[Path, typer.Argument(help="What to quantise, such as export/quantise-tiny.yaml.")],
    *,
    data: DataPath,
    out: Annotated[Path | None, typer.Option(help="Folder to write instead of the recipe's.")] = None,
    as_json: Json = False,
) -> None:
    """Quantise a bundle, and hold each graph against the float32 one.

    Embeddings, accuracy and accuracy under attack are compared on the same frames. If a graph lost more than
    the recipe allows, exits with 1 and what was there stays.
    """
    path = existing(recipe)
    with offline_half("quantise"):
        from rvl_edge.offline.quantising import quantise_bundle

    with nullcontext() if as_json else progress() as advance:
        report = quantise_bundle(path, existing(data), out, on_step=advance)
    if as_json:
        print_json(report)
        return
    print_table(_COLUMNS, (_row(str(name), each) for name, each in report.senses.items()))
    for name, each in report.senses.items():
        attack = "not attacked" if each.gates.robust is None else each.gates.robust.condition
        typer.echo(f"{name}: calibrated on {each.samples}; {attack}")
    typer.echo(f"{report.path}: {report.size / 1e6:.1f} MB")


def _row(name: str, sense: QuantisedSense) -> tuple[str, ...]:
    gates = sense.gates
    drops = [each for each in (gates.clean, gates.robust) if each is not None]
    return (
        name,
        f"{sense.size_before / 1e6:.1f} to {sense.size_after / 1e6:.1f}",
        sense.method,
        f"{gates.parity.cosine_min:.4f}",
        _change(gates.clean),
        "" if gates.robust is None else _change(gates.robust),
        str(gates.parity.samples),
        ", ".join(f"{each.lost.high:.1%}" for each in drops),
    )


def _change(drop: Drop) -> str:
    return f"{drop.reference.value:.1%} to {drop.candidate.value:.1%}"
