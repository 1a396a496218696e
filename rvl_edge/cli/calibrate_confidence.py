# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge calibrate confidence`: temperature, `unknown` and plausible labels of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rvl_edge.cli.arguments import BackendName, DataPath, Senses, existing
from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import Json, print_json, print_table
from rvl_edge.cli.progress import progress

if TYPE_CHECKING:
    from rvl_edge.offline.calibration.confidence import Outcome


def run(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder; the result is put into it.")],
    *,
    data: DataPath,
    modality: Senses = None,
    alpha: Annotated[
        float,
        typer.Option(min=0.001, max=0.5, help="Share of samples of known labels that may be missed."),
    ] = 0.05,
    samples: Annotated[int, typer.Option(min=10, help="Samples to use of each part.")] = 1000,
    cola: Annotated[bool, typer.Option("--cola", help="Fit COLA's ranking as well.")] = False,
    backend: BackendName = "onnxruntime",
    as_json: Json = False,
) -> None:
    """Make probabilities mean what they say.

    --data may also be a folder of your own samples, LABEL/FILE, for those labels. What is in unknown/ tells
    how often anything else is noticed.
    """
    with offline_half("calibrate"):
        from rvl_edge.offline.calibration.calibrating import calibrate_bundle
        from rvl_edge.types import Modality

    senses = [Modality(each) for each in modality] if modality else None
    with progress() as advance:
        outcomes = calibrate_bundle(
            existing(bundle),
            existing(data),
            modalities=senses,
            alpha=alpha,
            most=samples,
            cola=cola,
            backend=backend,
            advance=advance,
        )
    if as_json:
        print_json({"bundle": bundle, "outcomes": [_as_json(each) for each in outcomes]})
    else:
        _show(outcomes)


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "modality": outcome.modality.value,
        "entry": outcome.entry.model_dump(mode="json", exclude={"measured"}),
        "held_out": outcome.held_out,
        "measured": outcome.report,
    }


def _show(outcomes: tuple[Outcome, ...]) -> None:
    rows = []
    for each in outcomes:
        report, unknown = each.report, each.report.strangers or each.report.unknowns
        right, ranking = report.accuracy_answered, each.entry.ranking.partition(" ")[0]
        rows.append(
            (
                f"{each.modality} {each.entry.label_set}, {ranking}",
                f"{each.entry.temperature:.2f}",
                f"{report.before.width.value:.1%} to {report.after.width.value:.1%}",
                f"{report.answered.value:.1%}",
                "" if right is None else f"{right.value:.1%}",
                f"{report.covered.value:.1%}",
                f"{report.set_size.value:.2f}/{len(each.entry.labels)}",
                "" if unknown is None else f"{unknown.detected.value:.0%}",
            )
        )
    print_table(("", "T", "ECE", "answered", "right", "covered", "set", "unknown"), rows)
    promised = f"{outcomes[0].entry.coverage:.1%} of samples of these labels"
    typer.echo(f"promised: {promised} are answered, and {promised} have the truth among the plausible ones")
    for source in dict.fromkeys(each.held_out for each in outcomes):
        typer.echo(f"measured on {source}")
