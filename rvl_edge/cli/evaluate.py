# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge evaluate`: accuracy of a bundle on the labelled sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rvl_edge.cli.arguments import BackendName, DataPath, Senses, existing
from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import Json, print_json, print_table
from rvl_edge.cli.progress import progress
from rvl_edge.errors import ConfigError

if TYPE_CHECKING:
    from rvl_edge.offline.evaluation.evaluate import Result


def run(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle's folder; none is the embedded one.")
    ] = None,
    *,
    data: DataPath,
    targets: Annotated[
        Path | None,
        typer.Option(help="YAML of accuracies to reach, by label set; exits with 1 if one is missed."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for results.json and confusion pictures.")] = None,
    modality: Senses = None,
    backend: BackendName = "onnxruntime",
    as_json: Json = False,
) -> None:
    """Measure a bundle on the test parts of the labelled sets.

    Zero-shot through the bundle's text anchors, with the encoders and preprocessing that a robot runs.
    """
    sets = existing(data)
    with offline_half("evaluate"):
        from rvl_edge.offline.evaluation import report
        from rvl_edge.offline.evaluation.evaluate import evaluate, read_targets
        from rvl_edge.perceiver import Perceiver
        from rvl_edge.types import Modality

    if out is not None and out.exists() and not (out / report.RESULTS_NAME).is_file() and any(out.iterdir()):
        raise ConfigError("will not replace a folder of other files", got=out, fix="name a new folder")
    wanted = None if targets is None else read_targets(existing(targets))
    senses = [Modality(each) for each in modality] if modality else None
    with Perceiver.open(bundle, modalities=senses, backend=backend) as perceiver, progress() as advance:
        results = evaluate(
            perceiver,
            sets,
            targets=wanted,
            report=lambda sense, done, total: advance(sense.value, done, total),
        )
    if out is not None:
        report.write_report(results, out)
    if as_json:
        print_json({"results": [report.as_json(each) for each in results]})
    else:
        _show(results)
    raise typer.Exit(0 if all(each.passed for each in results) else 1)


def _show(results: tuple[Result, ...]) -> None:
    rows = [
        (
            str(each.modality),
            each.label_set + (" (simulated)" if each.simulated else ""),
            f"{each.accuracy.value:.1%}",
            f"{each.accuracy.low:.1%} to {each.accuracy.high:.1%}",
            str(each.accuracy.trials),
            "" if each.target is None else f"{each.target:.0%} {'reached' if each.passed else 'missed'}",
        )
        for each in results
    ]
    print_table(("sense", "label set", "accuracy", "95 % interval", "samples", "target"), rows)
