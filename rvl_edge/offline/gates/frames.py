# SPDX-License-Identifier: Apache-2.0
"""Frames that gates ask about: as they are, and attacked through the torch model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rvl_edge.bundle import Bundle
from rvl_edge.errors import CheckpointError
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.arms import ARMS, Effort
from rvl_edge.offline.evaluation.asking import Strike, perturb
from rvl_edge.offline.evaluation.budgets import Ball
from rvl_edge.offline.evaluation.exam import Exam, set_exam
from rvl_edge.offline.evaluation.subjects import checkpoint_judge
from rvl_edge.offline.gates.recipe import GateRecipe
from rvl_edge.offline.hardening.attacks.goals import Logits
from rvl_edge.offline.hardening.threat import Norm
from rvl_edge.offline.towers.checkpoint import open_encoder
from rvl_edge.perceiver import Perceiver
from rvl_edge.preprocess.spec import PreprocessSpec
from rvl_edge.types import FloatArray, Modality

_BATCH = 50  # frames attacked at once

Anchor = Callable[[tuple[str, ...]], FloatArray]
"""Class names -> their text anchors (K, D), of unit norm."""


@dataclass(frozen=True, eq=False)
class Attacked:
    """The same frames under attack.

    Attributes:
        inputs: (N, ...) model inputs; frames that the torch model gets wrong as they are, are left so.
        attack: name, norm, radius and steps, in words.
        crafted_on: the checkpoint's folder.
    """

    inputs: FloatArray
    attack: str
    crafted_on: str


@dataclass(frozen=True, eq=False)
class Frames:
    """Labelled frames of one sense.

    Attributes:
        inputs: (N, ...) float32 model inputs.
        truths: (N,) int64, index into the anchors.
        anchors: (K, D) text anchors of the classes, of unit norm.
        source: where the frames are from.
        attacked: None where there is no checkpoint to attack.
    """

    inputs: FloatArray
    truths: npt.NDArray[np.int64]
    anchors: FloatArray
    source: str
    attacked: Attacked | None = None


def anchors_of(bundle: Bundle, modality: Modality) -> Anchor:
    """The text anchors that a bundle makes for one of its senses."""

    def anchor(labels: tuple[str, ...]) -> FloatArray:
        with Perceiver(bundle, modalities=[modality], monitors=False) as perceiver:
            perceiver.set_labels(labels, modality)
            return perceiver.anchors(modality).matrix

    return anchor


def gate_frames(
    spec: PreprocessSpec,
    data: Path,
    anchor: Anchor,
    gates: GateRecipe,
    *,
    checkpoint: Path | None = None,
    on_frames: Callable[[int, int], None] | None = None,
) -> Frames:
    """Take frames from the labelled set of a sense and attack them.

    Args:
        spec: how the sense's samples are prepared.
        data: folder of the labelled sets.
        anchor: makes the anchors of the classes.
        gates: how many, and the attack.
        checkpoint: what the reference was exported from; None leaves attacks out.
        on_frames: told how many were attacked, and of how many.

    Raises:
        ConfigError: no such set, or an attack that does not fit it.
        CheckpointError: the checkpoint cannot be read, or sees other samples than `spec` says.
    """
    exam = set_exam(Modality(spec.kind), spec, data, part=Part(gates.part), count=gates.frames)
    samples, labels = exam.batch(slice(0, len(exam)))
    anchors = np.ascontiguousarray(anchor(exam.question.labels), np.float32)
    attacked = None
    if checkpoint is not None:
        torch_model = _torch_model(checkpoint, exam, spec, anchors)
        found = _attack(torch_model, samples, labels, gates, on_frames or _silent)
        described = f"{gates.attack} linf {gates.eps:g}/255, {gates.steps} steps, on {exam.domain.name}"
        attacked = Attacked(exam.domain.model_input(found).numpy(), described, checkpoint.name)
    source = f"{exam.described.name}, {exam.described.part} part"
    return Frames(exam.domain.model_input(samples).numpy(), labels.numpy(), anchors, source, attacked)


def _torch_model(checkpoint: Path, exam: Exam, spec: PreprocessSpec, anchors: FloatArray) -> Logits:
    encoder = open_encoder(checkpoint).requires_grad_(False)
    if encoder.card.preprocess != spec:
        raise CheckpointError(
            f"the bundle was not exported from {checkpoint}: they see other samples",
            got=encoder.card.preprocess,
            expected=spec,
        )
    return checkpoint_judge(checkpoint.name, encoder.eval(), anchors, exam.domain).logits


def _attack(
    logits: Logits,
    samples: torch.Tensor,
    labels: torch.Tensor,
    gates: GateRecipe,
    on_frames: Callable[[int, int], None],
) -> torch.Tensor:
    effort = Effort(steps=gates.steps)
    strike = Strike(Ball(Norm.LINF, gates.eps / 255), lambda threat: ARMS[gates.attack](threat, effort))
    found = samples.clone()
    for start in range(0, len(samples), _BATCH):
        rows = torch.arange(start, min(start + _BATCH, len(samples)))
        with torch.no_grad():
            rows = rows[logits(samples[rows]).argmax(dim=1) == labels[rows]]
        if len(rows):
            found[rows] = perturb(logits, strike, samples[rows], labels[rows], gates.seed + start)
        on_frames(min(start + _BATCH, len(samples)), len(samples))
    return found


def _silent(done: int, total: int) -> None:
    del done, total
