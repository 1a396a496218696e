# SPDX-License-Identifier: Apache-2.0
"""The report card as data: `card.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.adaptive.results import AttackerSettings, Cell, ColaChoice, ColaEvaluation
from rvl_edge.offline.evaluation.calibration import Bin, equal_mass
from rvl_edge.offline.evaluation.comparing import shared_columns
from rvl_edge.offline.evaluation.detections import MonitorEvaluation
from rvl_edge.offline.evaluation.masking import Verdict, verdicts
from rvl_edge.offline.evaluation.results import Condition, Evaluation, Outcome, SampleSet, Subject
from rvl_edge.offline.evaluation.wilson import Proportion
from rvl_edge.offline.reporting.documents import Documents, Gated
from rvl_edge.offline.reporting.untested import untested
from rvl_edge.types import Modality

CARD_VERSION: Literal[2] = 2


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measured(_Entry):
    """The answers under one condition, in figures.

    Attributes:
        condition: what was done to the samples.
        title: of the condition.
        accuracy: right answers of all.
        recall: right answers of each class.
        loss: mean cross-entropy of the truth, in nats.
        calibration_error: expected, over bins of equal mass.
        reliability: these bins.
        seconds: of computing, summed over processes.
        devices: what computed.
    """

    condition: Condition
    title: str
    accuracy: Proportion
    recall: dict[str, Proportion]
    loss: float
    calibration_error: float
    reliability: tuple[Bin, ...]
    seconds: float
    devices: tuple[str, ...]


class EncoderCard(_Entry):
    """One encoder.

    Attributes:
        subject: what was asked.
        release: of rvl_edge that asked.
        seed: of attacks and corruptions.
        batch_size: samples at once; random starts depend on it.
        measured: one a condition.
        signs: whether gradients are honest; empty if they were not looked for.
    """

    subject: Subject
    release: str
    seed: int
    batch_size: int
    measured: tuple[Measured, ...]
    signs: tuple[Verdict, ...]


class SenseCard(_Entry):
    """Encoders that were asked about the same samples."""

    modality: Modality
    samples: SampleSet
    encoders: tuple[EncoderCard, ...]


class ColaCard(_Entry):
    """One encoder with COLA behind it, under attackers who know of it.

    Attributes:
        modality: the sense.
        subject: the encoder.
        samples: what it was asked about.
        attacker: PGD's settings.
        cola: COLA's.
        release: of rvl_edge that asked.
        batch_size: samples at once; random starts depend on it.
        cells: one a defence and attack.
        seconds: of computing.
        devices: what computed.
    """

    modality: Modality
    subject: Subject
    samples: SampleSet
    attacker: AttackerSettings
    cola: ColaChoice
    release: str
    batch_size: int
    cells: tuple[Cell, ...]
    seconds: float
    devices: tuple[str, ...]


class Card(_Entry):
    """What was measured.

    Attributes:
        schema_version: of this file.
        title: of the report.
        senses: one a sense, question and place of perturbations.
        cola: one an encoder and radius.
        monitors: one a bundle.
        gates: one a graph of an engine or a quantised bundle.
        not_tested: what a reader could take for measured and is not.
    """

    schema_version: Literal[2] = CARD_VERSION
    title: str
    senses: tuple[SenseCard, ...]
    cola: tuple[ColaCard, ...]
    monitors: tuple[MonitorEvaluation, ...]
    gates: tuple[Gated, ...]
    not_tested: tuple[str, ...]


def make_card(title: str, documents: Documents) -> Card:
    """Put results into one card, in the order given.

    Raises:
        ConfigError: no result, two of one encoder about the same, or conditions of one title that differ.
    """
    evaluations = documents.evaluations
    if not documents:
        raise ConfigError("a report needs results", fix="run `rvl-edge evaluate ... --out FILE.json` first")
    groups: dict[str, list[Evaluation]] = {}
    for each in evaluations:
        groups.setdefault(f"{each.modality} {each.samples.model_dump_json()}", []).append(each)
    return Card(
        title=title,
        senses=tuple(_sense(group) for group in groups.values()),
        cola=_cola(documents.cola),
        monitors=documents.monitors,
        gates=documents.gates,
        not_tested=untested(documents),
    )


def _sense(group: Sequence[Evaluation]) -> SenseCard:
    names = [each.subject.name for each in group]
    if len(set(names)) < len(names):
        raise ConfigError(
            "two results of one encoder about the same samples",
            got=", ".join(names),
            fix="evaluate with different --name, or leave one file out",
        )
    shared_columns(group)
    return SenseCard(
        modality=group[0].modality, samples=group[0].samples, encoders=tuple(_encoder(each) for each in group)
    )


def _cola(evaluations: Sequence[ColaEvaluation]) -> tuple[ColaCard, ...]:
    titles = [
        f"{each.modality}, {each.samples.label_set}, {each.subject.name}, {each.attacker.eps * 255:g}/255"
        for each in evaluations
    ]
    twice = sorted(title for title, count in Counter(titles).items() if count > 1)
    if twice:
        raise ConfigError(
            "two results of one encoder with COLA under the same attackers",
            got="; ".join(twice),
            fix="measure with different --name, or leave one file out",
        )
    return tuple(
        ColaCard(
            modality=each.modality,
            subject=each.subject,
            samples=each.samples,
            attacker=each.attacker,
            cola=each.cola,
            release=each.release,
            batch_size=each.batch_size,
            cells=tuple(each.cells()),
            seconds=sum(outcome.seconds for outcome in each.outcomes),
            devices=tuple(sorted({name for outcome in each.outcomes for name in outcome.devices})),
        )
        for each in evaluations
    )


def _encoder(evaluation: Evaluation) -> EncoderCard:
    return EncoderCard(
        subject=evaluation.subject,
        release=evaluation.release,
        seed=evaluation.seed,
        batch_size=evaluation.batch_size,
        measured=tuple(_measured(evaluation, outcome) for outcome in evaluation.outcomes),
        signs=verdicts(evaluation),
    )


def _measured(evaluation: Evaluation, outcome: Outcome) -> Measured:
    calibration = equal_mass(outcome.confidences, evaluation.right(outcome))
    return Measured(
        condition=outcome.condition,
        title=outcome.condition.title,
        accuracy=evaluation.accuracy(outcome),
        recall=evaluation.recall(outcome),
        loss=outcome.loss,
        calibration_error=calibration.error,
        reliability=calibration.bins,
        seconds=outcome.seconds,
        devices=outcome.devices,
    )
