# SPDX-License-Identifier: Apache-2.0
"""What a reader of figures could take for measured, and is not."""

from __future__ import annotations

from collections.abc import Iterator

from rvl_edge.offline.evaluation.arms import BLACK_BOXES
from rvl_edge.offline.evaluation.corruptions import corruptions_of
from rvl_edge.offline.evaluation.results import Evaluation
from rvl_edge.offline.reporting.documents import Documents
from rvl_edge.types import Modality

_STRONG = {"apgd-ce+t", "autoattack"}
_NEVER = (
    "attacks on several senses at once",
    "physical attacks: printed patches, projectors, loudspeakers, things held in front of a sensor",
    "other places, seasons and sensors than those of the labelled sets, and classes beyond their labels",
    "the robot around the encoder: what a wrong label makes it do",
)


def untested(documents: Documents) -> tuple[str, ...]:
    """Sentences without a full stop, from the particular to the general."""
    evaluations = documents.evaluations
    seen = set(_senses(documents))
    absent = [modality.value for modality in Modality if modality not in seen]
    whose: dict[str, list[str]] = {}
    for each in evaluations:
        for gap in _gaps(each):
            whose.setdefault(gap, []).append(f"{each.modality} {each.subject.name} on {each.samples.domain}")
    gaps = [f"{gap} ({'; '.join(names)})" for gap, names in whose.items()]
    senses = [f"the senses {', '.join(absent)}"] if absent else []
    return (*gaps, *senses, *_beyond_the_encoder(documents), *_NEVER)


def _senses(documents: Documents) -> tuple[Modality, ...]:
    """Those that were asked, each once."""
    evaluated = [each.modality for each in documents.evaluations]
    return tuple(dict.fromkeys([*evaluated, *(each.modality for each in documents.cola)]))


def _beyond_the_encoder(documents: Documents) -> Iterator[str]:
    asked = _senses(documents)
    attacked = {each.modality for each in documents.cola}
    watched = {sense.modality for each in documents.monitors for sense in each.senses}
    evaded = {sense.modality for each in documents.monitors for sense in each.senses if sense.evasion}
    for what, there in (
        ("attacks that know of the COLA refinement and go through its random views", attacked),
        ("what the trust monitors detect", watched),
        ("attacks that know the trust monitors and keep below their thresholds", evaded),
    ):
        missing = [each.value for each in asked if each not in there]
        if not there:
            yield what
        elif missing:
            yield f"{what} ({', '.join(missing)})"
    if documents.cola:
        steps = max(each.attacker.steps for each in documents.cola)
        yield (
            f"attacks on COLA of more than {steps} steps, and trying many results until one draws views that "
            "suit the attacker"
        )
    if not documents.gates:
        yield "engines and quantised graphs against the graphs that they were made from"


def _gaps(evaluation: Evaluation) -> Iterator[str]:
    conditions = [each.condition for each in evaluation.outcomes]
    attacks = [each for each in conditions if each.kind == "attack"]
    names = {each.name for each in attacks}
    if not attacks:
        yield "any attack"
    elif not names & _STRONG:
        yield "APGD-CE with APGD-T; attacks weaker than these leave upper bounds of robust accuracy"
    elif "autoattack" not in names:
        yield "AutoAttack's whole ensemble (FAB-T and square after APGD)"
    if attacks:
        norms = {each.norm.value for each in attacks if each.norm is not None}
        others = sorted({"linf", "l2"} - norms)
        if others:
            yield f"perturbations of another norm ({', '.join(others)}) or without one (patches)"
        if not any("prompts" in each.settings for each in attacks):
            yield "attacks on the class prompts"
    boxes = {each.name.removeprefix("check ") for each in conditions if each.kind in ("attack", "check")}
    if attacks and not boxes & BLACK_BOXES:
        yield "black-box attacks"
    if attacks and not any(each.kind == "check" for each in conditions):
        yield "signs of masked gradients"
    ran = {each.name for each in conditions if each.kind == "corruption"}
    missing = [name for name in corruptions_of(evaluation.modality) if name not in ran]
    if missing:
        yield f"the corruptions {', '.join(missing)}"
    if evaluation.subject.kind == "checkpoint":
        yield "the exported graph; the checkpoint was asked"
    elif attacks:
        yield "attacks by the bundle's own gradients, which it does not give"
    if evaluation.samples.simulated:
        yield "real recordings; the samples are simulated"
