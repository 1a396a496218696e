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
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
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
"""Called after each part with the condition, its parts done and in all, and samples per second."""


@dataclass(frozen=True)
class Share:
    """This process's part of the work: each `count`-th piece, from `index` on."""

    index: int = 0
    count: int = 1


@dataclass(frozen=True, eq=False)
class Piece:
    """One batch under one condition.

    Attributes:
        name: of its file within the run's folder, after all that it depends on.
        arm: the condition.
        batch: which.
    """

    name: str
    arm: Arm
    batch: int


class Part(BaseModel):
    """What came out of a piece: answers of each sample, computing time, and what computed."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    answers: ClassColumn
    confidences: RealColumn
    losses: RealColumn
    seconds: float
    device: str


Compute = Callable[[Sequence[Piece]], Iterable[tuple[Piece, Part]]]
"""Pieces to parts, each as soon as it is done, in any order."""


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

    def compute(self, share: Share, report: Report, by: Compute | None = None) -> None:
        """Compute this process's parts that are not there yet.

        Args:
            share: which are this process's.
            report: called after each part, also of those that were there.
            by: computes the missing ones in another place; None is here.
        """
        pieces = self.pieces(share)
        totals, done = Counter(each.arm.condition.title for each in pieces), Counter[str]()

        def tally(piece: Piece, part: Part) -> None:
            title = piece.arm.condition.title
            done[title] += 1
            report(title, done[title], totals[title], len(part.answers) / max(part.seconds, 1e-9))

        missing = []
        for piece in pieces:
            kept = self._read(piece)
            if kept is None:
                missing.append(piece)
            else:
                tally(piece, kept)
        for piece, part in (by or self._here)(missing):
            path = self.folder / piece.name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, part.model_dump_json().encode())
            tally(piece, part)

    def pieces(self, share: Share) -> list[Piece]:
        """This process's pieces of the work, condition by condition."""
        settings = {
            "release": release(),
            "subject": self.judge.subject.model_dump(exclude={"name"}),
            "samples": self.exam.described.model_dump(),
            "seed": self.seed,
            "batch_size": self.batch_size,
        }
        folder = key(settings)
        every = [
            Piece(f"{folder}/{key(arm.condition.model_dump())}-{batch:05d}.json", arm, batch)
            for arm in self.arms
            for batch in range(-(-len(self.exam) // self.batch_size))
        ]
        return every[share.index :: share.count]

    def part(self, piece: Piece) -> Part:
        """Attack and ask.

        Raises:
            BadOutput: answers that are no numbers.
        """
        arm, batch = piece.arm, piece.batch
        rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
        samples, labels = self.exam.batch(rows, arm.alter)
        seed = int(key({"seed": self.seed, "condition": arm.condition.model_dump(), "batch": batch})[:12], 16)
        device, clock = self.judge.device, time.perf_counter()
        answers = ask(arm.asked or self.judge.logits, arm.strike, samples.to(device), labels.to(device), seed)
        columns = [each.cpu().numpy() for each in (answers.classes, answers.confidences, answers.losses)]
        return Part(
            answers=columns[0],
            confidences=columns[1],
            losses=columns[2],
            seconds=time.perf_counter() - clock,
            device=device_name(device),
        )

    def collect(self) -> Evaluation | None:
        """The result, if all parts are there."""
        found: dict[Arm, list[Part]] = {arm: [] for arm in self.arms}
        for piece in self.pieces(Share()):
            part = self._read(piece)
            if part is None:
                return None
            found[piece.arm].append(part)
        return Evaluation(
            release=release(),
            modality=self.exam.modality,
            subject=self.judge.subject,
            samples=self.exam.described,
            truths=self.exam.question.answers.astype(np.uint16),
            seed=self.seed,
            batch_size=self.batch_size,
            outcomes=tuple(_joined(arm.condition, parts) for arm, parts in found.items()),
        )

    def _here(self, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, Part]]:
        return ((piece, self.part(piece)) for piece in pieces)

    def _read(self, piece: Piece) -> Part | None:
        """A part that is there and whole; a damaged one is computed again."""
        try:
            return Part.model_validate_json((self.folder / piece.name).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None


def _joined(condition: Condition, parts: Sequence[Part]) -> Outcome:
    return Outcome(
        condition=condition,
        answers=np.concatenate([each.answers for each in parts]),
        confidences=np.concatenate([each.confidences for each in parts]),
        losses=np.concatenate([each.losses for each in parts]),
        seconds=sum(each.seconds for each in parts),
        devices=tuple(sorted({each.device for each in parts})),
    )


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
