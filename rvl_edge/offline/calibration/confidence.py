# SPDX-License-Identifier: Apache-2.0
"""Calibrating the confidence of one sense of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rvl_edge.bundle.calibration import ConfidenceEntry, Measured
from rvl_edge.bundle.revisions import REVISIONS
from rvl_edge.errors import ConfigError
from rvl_edge.offline.calibration.answers import Answers, answer_by_cola, answer_plainly
from rvl_edge.offline.calibration.fitting import Fitted, Fold, check_enough, cross_folds, fit, measure
from rvl_edge.offline.calibration.measuring import Report, summarise
from rvl_edge.offline.calibration.progress import Advance
from rvl_edge.offline.calibration.samples import LabelledSamples, from_folder, from_set, is_label_folder
from rvl_edge.offline.calibration.unknowns import leave_labels_out
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.trials import Question
from rvl_edge.perceiver import Perceiver
from rvl_edge.types import Modality

# ESC-10's folds 1 to 3 are all trained on, being few clips, so what is left to fit on is the test part.
_WITHOUT_VALIDATION = (Modality.AUDIO,)


@dataclass(frozen=True)
class Material:
    """Samples to fit on, and others to measure with; without others, by cross-fitting."""

    fitting: LabelledSamples
    measuring: LabelledSamples | None

    @property
    def held_out(self) -> str:
        """What the measurements are of, for people."""
        return f"cross-fitting on {self.fitting.source}" if self.measuring is None else self.measuring.source


@dataclass(frozen=True)
class Outcome:
    """One entry for the bundle, with all that was measured of it.

    Attributes:
        modality: the sense.
        entry: as it goes into the bundle.
        held_out: what samples the report is of.
        report: on samples that nothing was fitted on.
    """

    modality: Modality
    entry: ConfidenceEntry
    held_out: str
    report: Report


def find_material(
    perceiver: Perceiver, modality: Modality | None, data: Path, most: int, *, strangers: bool = False
) -> Material:
    """Find samples of a sense: of its labelled set, or of the user's own folder `<label>/<file>`.

    Sets are fitted on their validation part and measured on their test part. Own folders, and sounds, of
    which no part is both unseen in training and other than the test part, are cross-fitted.

    Args:
        perceiver: of the bundle.
        modality: the sense; None takes what an own folder holds.
        data: the folder.
        most: samples to use of each part.
        strangers: as `from_folder`.

    Raises:
        ConfigError: nothing usable there.
    """
    if is_label_folder(data):
        return Material(from_folder(data, modality, most, strangers=strangers), None)
    if modality is None:
        raise ConfigError("no samples there", got=data, expected="labelled sets, or folders named as labels")
    spec = perceiver.bundle.manifest.senses[modality].preprocess
    test = from_set(modality, spec, data, Part.TEST, most)
    if modality in _WITHOUT_VALIDATION:
        return Material(test, None)
    return Material(from_set(modality, spec, data, Part.VALIDATION, most), test)


def calibrate_confidence(
    perceiver: Perceiver, material: Material, alpha: float, advance: Advance
) -> tuple[Outcome, ...]:
    """Fit and measure every question of some samples, under the ranking in force.

    Args:
        perceiver: of the bundle as `Bundle.uncalibrated` gives it, with COLA on or off; its labels are
            replaced.
        material: samples.
        alpha: share of samples that may be missed, by the decision and by the plausible labels each.
        advance: told of progress.

    Raises:
        ConfigError: too few samples for `alpha`.
        InputError: a file of the user's that cannot be read or perceived.
    """
    for question in material.fitting.questions:
        check_enough(question.answers, alpha, crossed=material.measuring is None)
    fitting = _answer(perceiver, material.fitting, advance)
    measuring = None if material.measuring is None else _answer(perceiver, material.measuring, advance)
    outcomes = []
    for place, question in enumerate(material.fitting.questions):
        answers = fitting[place]
        folds = cross_folds(answers) if measuring is None else (Fold(answers, measuring[place]),)
        report = _report(folds, question.labels, alpha, plain=perceiver.cola is None)
        perceiver.set_labels(question.labels, material.fitting.modality)
        entry = _entry(
            perceiver,
            material.fitting.modality,
            question,
            alpha=alpha,
            fitted=fit(answers, alpha),
            report=report,
        )
        outcomes.append(Outcome(material.fitting.modality, entry, material.held_out, report))
    return tuple(outcomes)


def _answer(perceiver: Perceiver, samples: LabelledSamples, advance: Advance) -> tuple[Answers, ...]:
    task = f"{samples.modality}, {samples.source}"
    ask = answer_plainly if perceiver.cola is None else answer_by_cola
    return ask(perceiver, samples, lambda done: advance(task, done, len(samples)))


def _report(folds: Sequence[Fold], labels: tuple[str, ...], alpha: float, *, plain: bool) -> Report:
    applied = measure(folds, alpha)
    known = tuple(Fold(each.fitting.known, each.measuring.known) for each in folds)
    seen = {label for fold in known for label in fold.measuring.truth.tolist()}
    if not plain or len(seen) < len(labels) or len(labels) < 3:
        return summarise(applied)
    try:
        unknowns = leave_labels_out(known, labels, alpha)
    except ConfigError:  # too few samples of the other labels; enough for all labels is enough to calibrate
        return summarise(applied)
    return summarise(applied, unknowns)


def _entry(
    perceiver: Perceiver,
    modality: Modality,
    question: Question,
    *,
    alpha: float,
    fitted: Fitted,
    report: Report,
) -> ConfidenceEntry:
    answered = report.accuracy_answered
    ranking = perceiver.ranking(modality)
    return ConfidenceEntry(
        label_set=question.label_set,
        labels=question.labels,
        templates=perceiver.anchors(modality).templates,
        ranking=ranking,
        revision=REVISIONS[ranking.partition(" ")[0]],
        temperature=fitted.temperature,
        alpha=alpha,
        unknown_below=fitted.unknown_below,
        plausible_from=fitted.plausible_from,
        samples=fitted.samples,
        measured=Measured(
            samples=report.accuracy.trials,
            accuracy=report.accuracy.value,
            ece_before=report.before.width.value,
            ece_after=report.after.width.value,
            answered=report.answered.value,
            accuracy_answered=None if answered is None else answered.value,
            covered=report.covered.value,
            set_size=report.set_size.value,
        ),
    )
