# SPDX-License-Identifier: Apache-2.0
"""What a bundle answers to labelled samples, on the robot's own path, at temperature 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rvl_edge._sampling import perceive_sample
from rvl_edge.offline.calibration.samples import LabelledSamples
from rvl_edge.offline.evaluation.trials import Question
from rvl_edge.perceiver import Perceiver
from rvl_edge.types import FloatArray, Label, Modality

_LEAST = 1e-300  # a probability that underflowed


@dataclass(frozen=True, eq=False)
class Answers:
    """N answers to a question of K labels.

    Attributes:
        logits: (N, K) float64; softmax gives the probabilities at temperature 1.
        truth: (N,) int64, index into the columns; -1 where no label is true.
    """

    logits: npt.NDArray[np.float64]
    truth: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, index: npt.NDArray[np.int64] | npt.NDArray[np.bool_] | slice) -> Answers:
        """Some of the samples."""
        return Answers(self.logits[index], self.truth[index])

    @property
    def known(self) -> Answers:
        """Those of samples that show one of the labels."""
        return self.take(self.truth >= 0)

    def without(self, label: int) -> Answers:
        """The answers, had one label not been in the set; the truth of its samples is -1.

        Exact for the plain ranking, where a label's logit does not depend on the others.
        """
        truth = np.where(self.truth > label, self.truth - 1, self.truth)
        truth[self.truth == label] = -1
        return Answers(np.delete(self.logits, label, axis=1), truth)


def answer_plainly(
    perceiver: Perceiver, samples: LabelledSamples, report: Callable[[int], None]
) -> tuple[Answers, ...]:
    """Ask every question of the samples by the plain ranking, encoding each sample once.

    Args:
        perceiver: of a bundle without calibration; its labels are replaced.
        samples: of a sense in use.
        report: called with the number of samples done.
    """
    embeddings = []
    for done, sample in enumerate(samples.samples, 1):
        embeddings.append(perceive_sample(perceiver, sample).embedding)
        report(done)
    return tuple(_ask(perceiver, samples.modality, question, embeddings) for question in samples.questions)


def answer_by_cola(
    perceiver: Perceiver, samples: LabelledSamples, report: Callable[[int], None]
) -> tuple[Answers, ...]:
    """Ask every question by the COLA that is in force, which encodes each sample's views once a question."""
    found = []
    for question in samples.questions:
        perceiver.set_labels(question.labels, samples.modality)
        rankings = []
        for done, sample in enumerate(samples.samples, 1):
            rankings.append(perceive_sample(perceiver, sample).labels)
            report(done)
        found.append(Answers(_logits(rankings, question.labels), question.answers))
    return tuple(found)


def _ask(
    perceiver: Perceiver, modality: Modality, question: Question, embeddings: Iterable[FloatArray]
) -> Answers:
    perceiver.set_labels(question.labels, modality)
    rankings = (perceiver.classify(modality, each) for each in embeddings)
    return Answers(_logits(rankings, question.labels), question.answers)


def _logits(rankings: Iterable[tuple[Label, ...]], labels: tuple[str, ...]) -> npt.NDArray[np.float64]:
    rows = []
    for ranking in rankings:
        probabilities = {label.name: label.probability for label in ranking}
        rows.append([probabilities[name] for name in labels])
    logits: npt.NDArray[np.float64] = np.log(np.maximum(np.array(rows), _LEAST))
    return logits
