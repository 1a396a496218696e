# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge labels`: what a bundle knows by name, and how it takes names of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from rvl_edge.cli.arguments import BundlePath, label_list
from rvl_edge.cli.output import Json, print_json, print_table

if TYPE_CHECKING:
    from rvl_edge.perceiver import Perceiver
    from rvl_edge.types import Modality

_NEAREST = 3


@dataclass(frozen=True)
class Neighbour:
    """A trained concept and the cosine between its anchor and that of the label asked about, in [-1, 1]."""

    concept: str
    cosine: float


@dataclass(frozen=True)
class Reading:
    """How one sense takes a label: whether it was trained on it, and the trained concepts nearest to it."""

    label: str
    modality: Modality
    trained: bool
    nearest: tuple[Neighbour, ...]


def run(
    labels: Annotated[
        list[str] | None, typer.Argument(help="Labels to try, each any text; @FILE reads one a line.")
    ] = None,
    bundle: BundlePath = None,
    as_json: Json = False,
) -> None:
    """List what a bundle knows, or try other labels."""
    if labels:
        asked = [label_list(text) if text.startswith("@") else (text,) for text in labels]
        _try(tuple(chain.from_iterable(asked)), bundle, as_json)
    else:
        _list(bundle, as_json)


def _list(path: BundlePath, as_json: bool) -> None:
    from rvl_edge.bundle import Bundle

    manifest = Bundle.open(path).manifest
    in_force = {modality: sense.label_set for modality, sense in manifest.senses.items()}
    if as_json:
        label_sets = {name: each.model_dump(mode="json") for name, each in manifest.label_sets.items()}
        concepts = manifest.concepts
        print_json(
            {"bundle": manifest.name, "in_force": in_force, "label_sets": label_sets, "concepts": concepts}
        )
        return
    print_table(
        ("label set", "senses (* in force)", "labels"),
        (
            (
                name + (" (simulated)" if each.simulated else ""),
                " ".join(f"{sense}{'*' * (in_force.get(sense) == name)}" for sense in each.modalities),
                ", ".join(each.labels),
            )
            for name, each in manifest.label_sets.items()
        ),
        title=f"{manifest.name} {manifest.version}",
    )
    print_table(
        (
            "sense",
            "concepts of its label sets; it was trained on free text"
            if manifest.open_vocabulary
            else "concepts it was trained on; others are answered with a warning",
        ),
        (
            (str(sense), ", ".join(name for name, senses in manifest.concepts.items() if sense in senses))
            for sense in manifest.senses
        ),
    )


def _try(labels: tuple[str, ...], path: BundlePath, as_json: bool) -> None:
    from rvl_edge.perceiver import Perceiver

    with Perceiver.open(path) as perceiver:
        readings = [reading for sense in perceiver.modalities for reading in _read(perceiver, sense, labels)]
    if as_json:
        print_json({"readings": readings})
        return
    print_table(
        ("sense", "label", "trained", "nearest trained concepts (cosine)"),
        (
            (
                str(each.modality),
                each.label,
                "yes" if each.trained else "no",
                ", ".join(f"{near.concept} {near.cosine:.2f}" for near in each.nearest),
            )
            for each in readings
        ),
    )
    if not all(each.trained for each in readings):
        typer.echo(
            "A sense tells untrained labels apart by their wording only: expect little of them.", err=True
        )


def _read(perceiver: Perceiver, sense: Modality, labels: tuple[str, ...]) -> list[Reading]:
    from rvl_edge.text import make_anchors

    manifest = perceiver.bundle.manifest
    known = tuple(name for name, senses in manifest.concepts.items() if sense in senses)
    trained = None if manifest.open_vocabulary else frozenset(name.casefold() for name in known)
    templates = manifest.senses[sense].templates
    asked, concepts = (
        make_anchors(names, templates, embed=perceiver.embed_text, trained=trained, version=0)
        for names in (labels, known)
    )
    cosines = asked.matrix @ concepts.matrix.T
    return [
        Reading(
            label,
            sense,
            label not in asked.untrained,
            tuple(Neighbour(known[index], float(row[index])) for index in (-row).argsort()[:_NEAREST]),
        )
        for label, row in zip(asked.labels, cosines, strict=True)
    ]
