# SPDX-License-Identifier: Apache-2.0
"""Accuracy of a bundle on labelled sets, zero-shot through its text anchors, as the robot runs it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import TypeAdapter, ValidationError

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.loading import load_part
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.trials import Question, Trial, make_trial
from rvl_edge.offline.evaluation.wilson import Proportion, proportion
from rvl_edge.perceiver import Perceiver
from rvl_edge.types import FloatArray, Modality

_ENCODED_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Result:
    """One label set, asked of one sense.

    Attributes:
        modality: the sense.
        label_set: its name in `calibration/labels`.
        labels: K class names.
        simulated: the samples were simulated.
        confusion: (K, K) counts, row the truth, column the answer.
        target: accuracy to reach, if one was set.
    """

    modality: Modality
    label_set: str
    labels: tuple[str, ...]
    simulated: bool
    confusion: npt.NDArray[np.int64]
    target: float | None

    @property
    def accuracy(self) -> Proportion:
        """Right answers of all."""
        return proportion(int(self.confusion.trace()), int(self.confusion.sum()))

    @property
    def recall(self) -> dict[str, Proportion]:
        """Right answers of each class that has samples."""
        return {
            label: proportion(int(row[k]), int(row.sum()))
            for k, (label, row) in enumerate(zip(self.labels, self.confusion, strict=True))
            if row.any()
        }

    @property
    def passed(self) -> bool:
        """The accuracy reaches the target; without one there is nothing to fail."""
        return self.target is None or self.accuracy.value >= self.target


def evaluate(
    perceiver: Perceiver,
    data: Path,
    *,
    part: Part = Part.TEST,
    senses: Collection[Modality] | None = None,
    targets: Mapping[str, float] | None = None,
    report: Callable[[Modality, int, int], None] | None = None,
) -> tuple[Result, ...]:
    """Ask each sense about its labelled set.

    The perceiver's labels are left as they were found, but for their version.

    Args:
        perceiver: an opened bundle.
        data: folder of the labelled sets.
        part: which part of them.
        senses: which to ask; None is all of the perceiver.
        targets: accuracy to reach, by label set.
        report: called after each batch with sense, samples done and samples in all.

    Raises:
        ConfigError: a set that is not there or broken, or a label set that the bundle does not have.
        BackendError: a graph cannot be run.
    """
    known = perceiver.bundle.manifest.label_sets
    unknown = sorted((targets or {}).keys() - known.keys())
    if unknown:
        raise ConfigError(
            "a target is of no label set of the bundle", got=", ".join(unknown), expected=", ".join(known)
        )
    results = []
    for modality in perceiver.modalities if senses is None else senses:
        samples = load_part(modality, data, part)
        trial = make_trial(samples, perceiver.bundle.manifest.senses[modality].preprocess, part)
        embedded = _embed(perceiver, modality, trial, report)
        before = perceiver.labels(modality)
        results += [
            _ask(perceiver, modality, question, embedded, (targets or {}).get(question.label_set))
            for question in trial.questions
        ]
        perceiver.set_labels(before, modality)
    return tuple(results)


def read_targets(path: Path) -> dict[str, float]:
    """Read accuracies to reach, by label set, from a YAML file.

    Raises:
        ConfigError: no such file, or one that cannot be used.
    """
    kind = TypeAdapter(dict[str, float])
    try:
        return kind.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(
            f"the targets {path} cannot be used", got=error, expected="label set: accuracy"
        ) from None


def _embed(
    perceiver: Perceiver,
    modality: Modality,
    trial: Trial,
    report: Callable[[Modality, int, int], None] | None,
) -> FloatArray:
    parts, total = [], len(trial.inputs)
    for start in range(0, total, _ENCODED_AT_ONCE):
        parts.append(perceiver.encode_batch(modality, trial.inputs[start : start + _ENCODED_AT_ONCE]))
        if report is not None:
            report(modality, min(start + _ENCODED_AT_ONCE, total), total)
    return np.concatenate(parts)


def _ask(
    perceiver: Perceiver, modality: Modality, question: Question, embedded: FloatArray, target: float | None
) -> Result:
    known = perceiver.bundle.manifest.label_sets.get(question.label_set)
    if known is None:
        raise ConfigError(
            "the bundle lacks a label set that its sense is asked for",
            got=question.label_set,
            expected=", ".join(perceiver.bundle.manifest.label_sets),
        )
    perceiver.set_labels(question.labels, modality)
    guesses = (embedded @ perceiver.anchors(modality).matrix.T).argmax(axis=1)
    confusion = np.zeros((len(question.labels),) * 2, np.int64)
    np.add.at(confusion, (question.answers, guesses), 1)
    return Result(modality, question.label_set, question.labels, known.simulated, confusion, target)
