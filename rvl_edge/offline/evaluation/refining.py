# SPDX-License-Identifier: Apache-2.0
"""Accuracy of a bundle on clean samples with and without the parts of COLA, and what its gate spares."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rvl_edge.offline.datasets.loading import load_part
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.adaptive.defences import DEFENCES, Defences
from rvl_edge.offline.evaluation.trials import Question, make_trial
from rvl_edge.offline.evaluation.wilson import Proportion, proportion
from rvl_edge.perceiver import Perceiver
from rvl_edge.refine import ColaSettings, Gate, PromptSet, frame_seed, make_views
from rvl_edge.types import FloatArray, Modality

_CHOICE_SEED = 0


@dataclass(frozen=True)
class RefinedResult:
    """One label set, asked of one sense.

    Attributes:
        modality: the sense.
        label_set: its name.
        accuracies: of each of `DEFENCES`, in their order.
        opened: share of samples that the gate spends views on.
    """

    modality: Modality
    label_set: str
    accuracies: tuple[Proportion, ...]
    opened: float


def evaluate_refined(
    perceiver: Perceiver,
    data: Path,
    *,
    part: Part = Part.TEST,
    senses: Collection[Modality] | None = None,
    count: int | None = None,
    settings: ColaSettings | None = None,
    gate: Gate | None = None,
    prompts: PromptSet | None = None,
) -> tuple[RefinedResult, ...]:
    """Ask each sense about its labelled set, with and without the parts of COLA.

    The perceiver's labels are left as they were found, but for their version.

    Args:
        perceiver: an opened bundle.
        data: folder of the labelled sets.
        part: which part of them.
        senses: which to ask; None is all of the perceiver.
        count: samples a sense, the same ones every time; None is all.
        settings, gate: of COLA; None are the defaults. A budget is not kept.
        prompts: descriptions to align with; None, and where they lack a label, are the templates.

    Raises:
        ConfigError: a set that is not there or broken.
        BackendError: a graph cannot be run.
    """
    chosen = settings or ColaSettings()
    results = []
    for modality in perceiver.modalities if senses is None else senses:
        samples = load_part(modality, data, part)
        if count is not None and count < len(samples):
            order = np.random.default_rng(_CHOICE_SEED).permutation(len(samples))
            samples = samples.take(np.sort(order[:count]))
        trial = make_trial(samples, perceiver.bundle.manifest.senses[modality].preprocess, part)
        views = np.stack([_embed(perceiver, modality, each, chosen) for each in trial.inputs])
        before = perceiver.labels(modality)
        for question in trial.questions:
            perceiver.set_labels(question.labels, modality)
            defences = Defences(
                _texts(perceiver, modality, prompts),
                perceiver.anchors(modality).matrix,
                perceiver.bundle.manifest.senses[modality].logit_scale,
                chosen,
                gate or Gate(),
            )
            results.append(_ask(modality, question, views, defences))
        perceiver.set_labels(before, modality)
    return tuple(results)


def _embed(
    perceiver: Perceiver, modality: Modality, sample: FloatArray, settings: ColaSettings
) -> FloatArray:
    views = make_views(sample, modality, settings.views, frame_seed(sample), settings.keep)
    return perceiver.encode_batch(modality, views)


def _texts(perceiver: Perceiver, modality: Modality, prompts: PromptSet | None) -> FloatArray:
    anchors = perceiver.anchors(modality)
    described = None if prompts is None else prompts.select(anchors.labels)
    if described is None:
        return anchors.prompts
    flat = [text for each in described for text in each]
    return perceiver.embed_text(flat).reshape(len(described), len(described[0]), -1)


def _ask(modality: Modality, question: Question, views: FloatArray, defences: Defences) -> RefinedResult:
    right, opened = np.zeros(len(DEFENCES), int), 0
    for each, answer in zip(views, question.answers, strict=True):
        said, opens = defences.answers(each)
        right += [said[name] == answer for name in DEFENCES]
        opened += opens
    accuracies = tuple(proportion(int(each), len(views)) for each in right)
    return RefinedResult(modality, question.label_set, accuracies, opened / len(views))
