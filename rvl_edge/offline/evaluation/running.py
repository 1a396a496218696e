# SPDX-License-Identifier: Apache-2.0
"""A run in parts: each batch under each condition is a file, so a kill loses one batch at most.

A part's random numbers come from the seed, the condition and the batch, and its name from all that it
depends on. So parts may be computed by any process of any machine, in any order; whoever finds all of them
done puts the result together, and it is the same whoever that is. Further conditions reuse what is there.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from rvl_edge._files import write_atomic
from rvl_edge.benchmarking.machine import Machine
from rvl_edge.offline.evaluation.asking import Arm, ask
from rvl_edge.offline.evaluation.exam import Exam
from rvl_edge.offline.evaluation.packing import ClassColumn, RealColumn
from rvl_edge.offline.evaluation.results import Condition, Evaluation, Outcome
from rvl_edge.offline.evaluation.subjects import Judge

Report = Callable[[str, int, int, float], None]


@dataclass(frozen=True)
class Share:
    """This process's part of the work: each `count`-th piece, from `index` on."""

    index: int = 0
    count: int = 1


@dataclass(frozen=True, eq=False)
class Run:
    """What is to be computed.

    Attributes:
        exam: samples and question.
        judge: who is asked.
        arms: conditions.
        seed: of all that is random.
        batch_size: samples at once.
        folder: for the parts; the same one resumes.
    """

    exam: Exam
    judge: Judge
    arms: Sequence[Arm]
    seed: int
    batch_size: int
    folder: Path

    def compute(self, share: Share, report: Report) -> None:
        """Compute this process's parts that are not there yet.

        Args:
            share: which are this process's.
            report: called after each part with the condition, its parts done and in all (of this share), and
                samples per second.
        """
        work = self._work(share)
        for arm in self.arms:
            own = [batch for each, batch in work if each is arm]
            for done, batch in enumerate(own, start=1):
                path = self._path(arm.condition, batch)
                part = _read(path)
                if part is None:
                    part = self._part(arm, batch)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_atomic(path, part.model_dump_json().encode())
                report(arm.condition.title, done, len(own), len(part.answers) / max(part.seconds, 1e-9))

    def parts(self, share: Share) -> int:
        """How many parts are this process's."""
        return len(self._work(share))

    def collect(self) -> Evaluation | None:
        """The result, if all parts are there."""
        outcomes = []
        for arm in self.arms:
            found = [_read(self._path(arm.condition, batch)) for batch in self._batches]
            parts = [each for each in found if each is not None]
            if len(parts) < len(found):
                return None
            outcomes.append(_joined(arm.condition, parts))
        return Evaluation(
            release=release(),
            modality=self.exam.modality,
            subject=self.judge.subject,
            samples=self.exam.described,
            truths=self.exam.question.answers.astype(np.uint16),
            seed=self.seed,
            batch_size=self.batch_size,
            outcomes=tuple(outcomes),
        )

    def _work(self, share: Share) -> list[tuple[Arm, int]]:
        every = [(arm, batch) for arm in self.arms for batch in self._batches]
        return every[share.index :: share.count]

    @property
    def _batches(self) -> range:
        return range(-(-len(self.exam) // self.batch_size))

    def _path(self, condition: Condition, batch: int) -> Path:
        settings = {
            "release": release(),
            "subject": self.judge.subject.model_dump(exclude={"name"}),
            "samples": self.exam.described.model_dump(),
            "seed": self.seed,
            "batch_size": self.batch_size,
        }
        return self.folder / key(settings) / f"{key(condition.model_dump())}-{batch:05d}.json"

    def _part(self, arm: Arm, batch: int) -> _Part:
        rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
        samples, labels = self.exam.batch(rows, arm.alter)
        seed = int(key({"seed": self.seed, "condition": arm.condition.model_dump(), "batch": batch})[:12], 16)
        device, clock = self.judge.device, time.perf_counter()
        answers = ask(arm.asked or self.judge.logits, arm.strike, samples.to(device), labels.to(device), seed)
        columns = [each.cpu().numpy() for each in (answers.classes, answers.confidences, answers.losses)]
        return _Part(
            answers=columns[0],
            confidences=columns[1],
            losses=columns[2],
            seconds=time.perf_counter() - clock,
            device=device_name(device),
        )


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    answers: ClassColumn
    confidences: RealColumn
    losses: RealColumn
    seconds: float
    device: str


def _joined(condition: Condition, parts: Sequence[_Part]) -> Outcome:
    return Outcome(
        condition=condition,
        answers=np.concatenate([each.answers for each in parts]),
        confidences=np.concatenate([each.confidences for each in parts]),
        losses=np.concatenate([each.losses for each in parts]),
        seconds=sum(each.seconds for each in parts),
        devices=tuple(sorted({each.device for each in parts})),
    )


def _read(path: Path) -> _Part | None:
    """A part that is there and whole; a damaged one is computed again."""
    try:
        return _Part.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def key(settings: dict[str, object]) -> str:
    """A short name of everything that a part depends on."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:24]


def release() -> str:
    """Version of rvl_edge that computes."""
    try:
        return version("rvl-edge-sdk")
    except PackageNotFoundError:  # run from its sources
        return "not installed"


def device_name(device: torch.device) -> str:
    """What computes, for the result."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{Machine.this().cpu}, {torch.get_num_threads()} threads"
