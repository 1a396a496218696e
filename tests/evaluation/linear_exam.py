# SPDX-License-Identifier: Apache-2.0
"""An evaluation of the linear encoder, without files of samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
from linear_encoder import Plain, Problem
from torch import Tensor

from rvl_edge.offline.evaluation.asking import Arm
from rvl_edge.offline.evaluation.exam import Alter, Exam
from rvl_edge.offline.evaluation.results import SampleSet, Subject
from rvl_edge.offline.evaluation.running import Run
from rvl_edge.offline.evaluation.subjects import Judge
from rvl_edge.offline.evaluation.trials import Question
from rvl_edge.offline.hardening.attacks.goals import Logits
from rvl_edge.types import Modality


@dataclass(frozen=True, eq=False)
class LinearExam:
    """What `Run` asks of an `Exam`; the sensor's samples are the domain's."""

    case: Problem
    modality: Modality = Modality.IMAGE
    domain: Plain = field(default_factory=Plain)

    @property
    def question(self) -> Question:
        return Question("objects", self.described.labels, self.case.labels.numpy())

    @property
    def described(self) -> SampleSet:
        return SampleSet(
            name="linear",
            part="test",
            count=len(self.case.labels),
            sha256=hashlib.sha256(self.case.samples.numpy().tobytes()).hexdigest(),
            simulated=True,
            label_set="objects",
            labels=tuple(f"class {number}" for number in range(self.case.classes)),
            domain=self.domain.name,
        )

    def __len__(self) -> int:
        return len(self.case.labels)

    def batch(self, rows: slice, alter: Alter | None = None) -> tuple[Tensor, Tensor]:
        samples = self.case.samples[rows].numpy()
        places = range(*rows.indices(len(self)))
        if alter is not None:
            samples = [alter(sample, place) for sample, place in zip(samples, places, strict=True)]
        return torch.stack([torch.as_tensor(each) for each in samples]), self.case.labels[rows]


def linear_run(
    case: Problem, arms: tuple[Arm, ...], folder: Path, *, logits: Logits | None = None, name: str = "linear"
) -> Run:
    subject = Subject(
        name=name,
        kind="checkpoint",
        sha256=hashlib.sha256(case.encoder.weights.detach().numpy().tobytes()).hexdigest(),
        anchors_sha256="0" * 64,
        scale=20.0,
        precision="float32",
    )
    case.encoder.requires_grad_(False)
    anchors = np.eye(case.classes, dtype=np.float32)
    judge = Judge(subject, anchors, logits or case.classifier, torch.device("cpu"))
    return Run(cast(Exam, LinearExam(case)), judge, arms, seed=3, batch_size=16, folder=folder)
