# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge calibrate monitors`: what is usual for a bundle's senses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rvl_edge.cli.arguments import BackendName, DataPath, Senses, existing
from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import Json, print_json, print_table
from rvl_edge.cli.progress import progress


def run(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder; the result is put into it.")],
    *,
    data: DataPath,
    modality: Senses = None,
    rate: Annotated[
        float,
        typer.Option(min=0.0001, max=0.05, help="Share of clean samples on which any monitor may warn."),
    ] = 0.01,
    samples: Annotated[int, typer.Option(min=20, help="Samples to fit thresholds on.")] = 2000,
    backend: BackendName = "onnxruntime",
    as_json: Json = False,
) -> None:
    """Learn what clean samples look like, so that trust can fall where one does not.

    --data may also be a folder of your own samples, LABEL/FILE.
    """
    with offline_half("calibrate"):
        from rvl_edge.offline.calibration.monitors import calibrate_monitors
        from rvl_edge.types import Modality

    senses = [Modality(each) for each in modality] if modality else None
    with progress() as advance:
        fitted = calibrate_monitors(
            existing(bundle),
            existing(data),
            modalities=senses,
            rate=rate,
            most=samples,
            backend=backend,
            advance=advance,
        )
    if as_json:
        senses_fitted = [
            {
                "modality": each.modality.value,
                "source": each.source,
                "monitors": [entry.model_dump(mode="json", exclude={"statistics"}) for entry in each.entries],
            }
            for each in fitted
        ]
        print_json({"bundle": bundle, "senses": senses_fitted})
        return
    rows = [
        (
            each.modality.value,
            str(len(each.family.curves)),
            str(each.family.samples),
            f"{each.family.rate:.2%}",
            f"{each.family.each:.2%}",
            each.source,
        )
        for each in fitted
    ]
    print_table(("", "monitors", "samples", "false alarms", "each alone", "fitted on"), rows)
