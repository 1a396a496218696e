# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge perceive`: files in, ranked labels and embeddings out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rvl_edge.cli.arguments import BackendName, BundlePath, Sense, existing, label_list
from rvl_edge.cli.output import Json, exit_code, print_error, print_json, print_table
from rvl_edge.errors import RvlEdgeError

if TYPE_CHECKING:
    from rvl_edge.bundle.calibration import ConfidenceEntry
    from rvl_edge.perceiver import Perceiver
    from rvl_edge.types import FloatArray, Label, Modality, Timing, Trust

# The values of `ThermalUnit` and `DepthUnit`, whose modules import NumPy.
Unit = Literal["agc8", "counts", "centikelvin", "kelvin", "celsius", "millimetres", "metres"]


_PROMISED = {"label_set", "ranking", "temperature", "alpha", "unknown_below", "plausible_from"}


@dataclass(frozen=True)
class Seen:
    """What one file was seen as; `labels` are the best ones. See `Perception`."""

    file: Path
    modality: Modality
    decision: str
    labels: tuple[Label, ...]
    plausible: tuple[str, ...]
    trust: Trust | None
    labels_version: int
    timing: Timing
    embedding: FloatArray


@dataclass(frozen=True)
class Refused:
    """A file that could not be perceived, and why."""

    file: Path
    error: RvlEdgeError


def run(
    files: Annotated[list[Path], typer.Argument(help="Pictures, sounds, videos or .npy arrays.")],
    *,
    modality: Annotated[
        Sense | None, typer.Option(help="Read the files as this sense, not the guessed one.")
    ] = None,
    unit: Annotated[
        Unit | None, typer.Option(help="What the numbers of a thermal or depth file mean.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="'person,forklift', @FILE with one a line, or a label set of the bundle."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Labels to show a file.")] = 3,
    cola: Annotated[
        bool, typer.Option("--cola", help="Rank by COLA: several views, optimal transport.")
    ] = False,
    bundle: BundlePath = None,
    backend: BackendName = "onnxruntime",
    as_json: Json = False,
) -> None:
    """Embed and label files."""
    from rvl_edge.perceiver import Perceiver

    with Perceiver.open(bundle, cola=cola, backend=backend) as perceiver:
        if labels is not None:
            _rank_by(labels, perceiver)
        outcomes = [_perceive(perceiver, file, modality, unit, top) for file in files]
        untrained = {sense: perceiver.anchors(sense).untrained for sense in perceiver.modalities}
        fitted = {sense: perceiver.confidence(sense) for sense in perceiver.modalities}
    seen = [each for each in outcomes if isinstance(each, Seen)]
    refused = [each for each in outcomes if isinstance(each, Refused)]
    foreign = {each.modality: untrained[each.modality] for each in seen if untrained[each.modality]}
    if as_json:
        confidence = {each.modality: _promise(fitted[each.modality]) for each in seen}
        print_json({"seen": seen, "refused": refused, "untrained_labels": foreign, "confidence": confidence})
    else:
        _show(seen)
        for sense, names in foreign.items():
            typer.echo(f"{sense} was not trained on {', '.join(names)}: expect little of them", err=True)
        for each in refused:
            print_error(each.error)
    if refused:
        raise typer.Exit(exit_code(refused[0].error))


def _promise(fitted: ConfidenceEntry | None) -> dict[str, object] | None:
    return None if fitted is None else fitted.model_dump(mode="json", include=_PROMISED)


def _rank_by(text: str, perceiver: Perceiver) -> None:
    known = perceiver.bundle.manifest.label_sets.get(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shown once, after the results, for the senses that were used
        perceiver.set_labels(known.labels if known else label_list(text))


def _perceive(
    perceiver: Perceiver, file: Path, modality: Sense | None, unit: Unit | None, top: int
) -> Seen | Refused:
    from rvl_edge._sampling import perceive_sample
    from rvl_edge.media import read_sample

    try:
        sample = read_sample(existing(file), modality)
        perceiver.warm_up(sample.modality)  # so that the timing is a robot's, not that of the first call
        found = perceive_sample(perceiver, sample, unit)
    except RvlEdgeError as error:
        return Refused(file, error)
    return Seen(
        file,
        found.modality,
        found.decision,
        found.labels[:top],
        found.plausible,
        found.trust,
        found.labels_version,
        found.timing,
        found.embedding,
    )


def _show(seen: list[Seen]) -> None:
    rows = [
        (
            str(each.file),
            str(each.modality),
            each.decision,
            ", ".join(f"{label.name} {label.probability:.2f}" for label in each.labels),
            ", ".join(each.plausible) or "not calibrated",
            "" if each.trust is None else f"{each.trust.value:.2f}",
            f"{each.timing.total:.1f}",
        )
        for each in seen
    ]
    if rows:
        print_table(("file", "sense", "decision", "labels", "plausible", "trust", "ms"), rows)
    for each in seen:
        for finding in () if each.trust is None else each.trust.findings:
            typer.echo(f"{each.file}: {finding.monitor} leaves {finding.trust:.2f}: {finding.detail}")
