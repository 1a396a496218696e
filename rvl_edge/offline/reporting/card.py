# SPDX-License-Identifier: Apache-2.0
"""The report card as data: `card.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.calibration import Bin, equal_mass
from rvl_edge.offline.evaluation.masking import Verdict, verdicts
from rvl_edge.offline.evaluation.results import Condition, Evaluation, Outcome, SampleSet, Subject
from rvl_edge.offline.evaluation.wilson import Proportion
from rvl_edge.offline.reporting.untested import untested
from rvl_edge.types import Modality

CARD_VERSION: Literal[1] = 1


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


class Card(_Entry):
    """What was measured.

    Attributes:
        schema_version: of this file.
        title: of the report.
        senses: one a sense, question and place of perturbations.
        not_tested: what a reader could take for measured and is not.
    """

    schema_version: Literal[1] = CARD_VERSION
    title: str
    senses: tuple[SenseCard, ...]
    not_tested: tuple[str, ...]


def make_card(title: str, evaluations: Sequence[Evaluation]) -> Card:
    """Put evaluations into one card, in the order given.

    Raises:
        ConfigError: no evaluation, or two encoders of one name on the same samples.
    """
    if not evaluations:
        raise ConfigError("a report needs results", fix="run `rvl-edge evaluate ... --out FILE.json` first")
    groups: dict[str, list[Evaluation]] = {}
    for each in evaluations:
        groups.setdefault(f"{each.modality} {each.samples.model_dump_json()}", []).append(each)
    return Card(
        title=title,
        senses=tuple(_sense(group) for group in groups.values()),
        not_tested=untested(evaluations),
    )


def _sense(group: Sequence[Evaluation]) -> SenseCard:
    names = [each.subject.name for each in group]
    if len(set(names)) < len(names):
        raise ConfigError(
            "two results of one encoder about the same samples",
            got=", ".join(names),
            fix="evaluate with different --name, or leave one file out",
        )
    return SenseCard(
        modality=group[0].modality, samples=group[0].samples, encoders=tuple(_encoder(each) for each in group)
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
