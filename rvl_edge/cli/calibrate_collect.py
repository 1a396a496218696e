# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge calibrate collect`: samples of recordings and folders, to calibrate on."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from rvl_edge.cli.arguments import Sense, existing, writable
from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import Json, print_json
from rvl_edge.cli.progress import progress


def run(
    sources: Annotated[
        list[Path], typer.Argument(help="Folders of files, rosbag2 folders, .mcap and .db3 files.")
    ],
    *,
    modality: Annotated[Sense, typer.Option(help="What the samples are of.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the samples and samples.json, such as calibration/samples/yard.")
    ],
    count: Annotated[int, typer.Option(min=1, help="Samples to keep.")] = 256,
    seed: Annotated[int, typer.Option(help="The same sources and seed give the same samples.")] = 0,
    topic: Annotated[
        str | None, typer.Option(help="Of recordings, where more than one has such samples.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a sample of audio or video.")] = 5.0,
    as_json: Json = False,
) -> None:
    """Collect samples that are spread over time and over labels.

    The first folder below a folder is a file's label. The samples are stored without loss beside a manifest
    with their hashes; whoever uses them later refuses samples that were changed.
    """
    paths = [existing(source) for source in sources]
    writable(out)
    with offline_half("calibrate collect", extra="offline,bags"):
        from rvl_edge.offline.collecting import collect
        from rvl_edge.types import Modality

    with nullcontext() if as_json else progress() as advance:
        found = collect(
            paths,
            Modality(modality),
            out,
            count=count,
            seed=seed,
            topic=topic,
            seconds=seconds,
            on_sample=None if advance is None else lambda done, total: advance("samples", done, total),
        )
    if as_json:
        print_json(found)
        return
    labels = "".join(f", {name} {number}" for name, number in sorted(found.labels.items()))
    typer.echo(f"{found.path}: {found.samples} of {found.offered} samples{labels}")
    if found.passed_over:
        typer.echo(f"{found.passed_over} that were chosen cannot be used and were passed over")
