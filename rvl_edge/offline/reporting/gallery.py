# SPDX-License-Identifier: Apache-2.0
"""Examples of attacked samples, made anew from the checkpoint whose figures they stand beside."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.asking import Arm, perturb
from rvl_edge.offline.evaluation.plans import Asked, Conditions, Means, checkpoint_run
from rvl_edge.offline.evaluation.results import Evaluation
from rvl_edge.offline.evaluation.running import Run
from rvl_edge.offline.reporting.pictures import magnified, visible
from rvl_edge.offline.towers import open_encoder
from rvl_edge.types import FloatArray

_LOOKED_AT = 64  # samples among which one of each class is sought
_ATTACK = "pgd"


@dataclass(frozen=True)
class Answer:
    """What a sample was taken for, and the probability of that."""

    label: str
    confidence: float


@dataclass(frozen=True, eq=False)
class Example:
    """One sample before and after an attack.

    Attributes:
        place: of the sample in the set.
        truth: its class.
        before: the answer to the sample as it is.
        after: the answer under attack.
        clean, attacked, difference: (H, W, 1 or 3) in [0, 1]; the difference is about mid-grey.
        factor: by which the difference is magnified.
    """

    place: int
    truth: str
    before: Answer
    after: Answer
    clean: FloatArray
    attacked: FloatArray
    difference: FloatArray
    factor: float


@dataclass(frozen=True, eq=False)
class Gallery:
    """Examples of one encoder.

    Attributes:
        evaluation: whose figures they illustrate.
        attack: title of the condition.
        examples: of different classes.
    """

    evaluation: Evaluation
    attack: str
    examples: tuple[Example, ...]


def make_gallery(
    evaluations: Sequence[Evaluation], checkpoint: Path, data: Path, *, text: Path | None, labels: Path
) -> Gallery:
    """Attack a few samples of the evaluation that was made of this checkpoint.

    The attack is PGD of 50 steps at the middle one of the evaluation's radii, or its ratios.

    Args:
        evaluations: one of which is the checkpoint's, with an attack.
        checkpoint: a sense's.
        data: folder of the labelled sets.
        text: the text encoder; None is the folder `text` beside the checkpoint.
        labels: folder with `templates.yaml`.

    Raises:
        ConfigError: no evaluation of this checkpoint on these samples has an attack at an eps.
    """
    modality = open_encoder(checkpoint).card.modality
    for evaluation in evaluations:
        radii = _radii(evaluation)
        if not radii or evaluation.subject.kind != "checkpoint" or evaluation.modality is not modality:
            continue
        conditions = Conditions(attacks=(_ATTACK,), eps=(radii[(len(radii) - 1) // 2],))
        for at_sensor in (False, True):
            samples = evaluation.samples
            asked = Asked(data, Part(samples.part), samples.count, samples.label_set, at_sensor, text, labels)
            with tempfile.TemporaryDirectory() as unused:
                means = Means(Path(unused), evaluation.seed, precision=evaluation.subject.precision)
                run = checkpoint_run(evaluation.subject.name, checkpoint, asked, conditions, means)
            if (run.judge.subject, run.exam.described) == (evaluation.subject, samples):
                return gallery_of(evaluation, run, run.arms[-1])
    raise ConfigError(
        "no result is of this checkpoint, or none of it has an attack at an eps",
        got=checkpoint,
        fix="evaluate it with --attack and --eps, and give that file too",
    )


def gallery_of(evaluation: Evaluation, run: Run, arm: Arm, count: int = 4) -> Gallery:
    """Examples of the classes that come first among samples that are answered right.

    Args:
        evaluation: whose figures they illustrate.
        run: who is asked about what.
        arm: an attack.
        count: how many, at most one a class.
    """
    assert arm.strike is not None
    samples, labels = run.exam.batch(slice(0, _LOOKED_AT))
    samples, labels = samples.to(run.judge.device), labels.to(run.judge.device)
    rows = _one_a_class(_probabilities(run, samples), labels)[:count]
    chosen, truths = samples[rows], labels[rows]
    if not len(rows):
        return Gallery(evaluation, arm.condition.title, ())
    found = perturb(run.judge.logits, arm.strike, chosen, truths, run.seed)
    pictures = [visible(each, run.exam.modality, run.exam.domain) for each in (chosen, found)]
    names = run.exam.question.labels
    answers = [_answers(_probabilities(run, each), names) for each in (chosen, found)]
    examples = []
    for number, row in enumerate(rows):
        clean, attacked = (each[number] for each in pictures)
        difference, factor = magnified(clean, attacked)
        before, after = (each[number] for each in answers)
        truth = names[int(truths[number])]
        examples.append(Example(row, truth, before, after, clean, attacked, difference, factor))
    return Gallery(evaluation, arm.condition.title, tuple(examples))


def _radii(evaluation: Evaluation) -> list[float]:
    attacks = [each.condition for each in evaluation.outcomes if each.condition.kind == "attack"]
    return sorted({each.eps for each in attacks if each.eps is not None})


def _probabilities(run: Run, samples: Tensor) -> Tensor:
    with torch.no_grad():
        return run.judge.logits(samples).softmax(dim=1)


def _one_a_class(probabilities: Tensor, labels: Tensor) -> list[int]:
    right = np.flatnonzero((probabilities.argmax(dim=1) == labels).cpu().numpy())
    _, first = np.unique(labels.cpu().numpy()[right], return_index=True)
    return [int(row) for row in np.sort(right[first])]


def _answers(probabilities: Tensor, names: tuple[str, ...]) -> list[Answer]:
    best = probabilities.max(dim=1)
    return [
        Answer(names[int(label)], float(confidence))
        for confidence, label in zip(best.values, best.indices, strict=True)
    ]
