# SPDX-License-Identifier: Apache-2.0
"""Attackers of COLA, batch by batch: each is a file, so a kill loses one at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from rvl_edge._files import write_atomic
from rvl_edge.offline.evaluation.adaptive.attackers import Attackers
from rvl_edge.offline.evaluation.adaptive.defences import Defences
from rvl_edge.offline.evaluation.adaptive.measuring import measure
from rvl_edge.offline.evaluation.adaptive.results import (
    AttackerSettings,
    AttackOutcome,
    ColaChoice,
    ColaEvaluation,
    Verdicts,
)
from rvl_edge.offline.evaluation.exam import Exam
from rvl_edge.offline.evaluation.results import Subject
from rvl_edge.offline.evaluation.running import key, release


@dataclass(frozen=True, eq=False)
class ColaRun:
    """What is to be computed.

    Attributes:
        exam: samples and question.
        subject: the encoder, for the result.
        attackers: with that encoder; their seed gives each batch one of its own.
        defences: with COLA for that question.
        batch_size: samples at once.
        folder: for the parts; the same one resumes.
    """

    exam: Exam
    subject: Subject
    attackers: Attackers
    defences: Defences
    batch_size: int
    folder: Path

    def compute(self, report: Callable[[int, int], None]) -> ColaEvaluation:
        """Compute the parts that are not there yet, and put all together.

        Args:
            report: called after each batch with samples done and in all.
        """
        total = len(self.exam)
        head = self._head()
        parts = []
        with self.attackers.classifier.at_rest():
            for start in range(0, total, self.batch_size):
                parts.append(self._part(head, start))
                report(min(start + self.batch_size, total), total)
        joined = tuple(_joined(each) for each in zip(*(part.outcomes for part in parts), strict=True))
        return head.model_copy(update={"outcomes": joined})

    def _head(self) -> ColaEvaluation:
        """The result, all but its outcomes."""
        attackers, settings = self.attackers, self.defences.cola.settings
        pgd = attackers.pgd
        return ColaEvaluation(
            release=release(),
            modality=self.exam.modality,
            subject=self.subject,
            samples=self.exam.described,
            attacker=AttackerSettings(
                norm=pgd.threat.norm,
                eps=float(pgd.threat.eps),
                steps=pgd.steps,
                step_size=pgd.step_size,
                precision="bfloat16" if attackers.classifier.precision == torch.bfloat16 else "float32",
                seed=attackers.seed,
            ),
            cola=ColaChoice(
                views=settings.views,
                keep=settings.keep,
                rank=settings.rank,
                epsilon=settings.epsilon,
                weight_temperature=settings.weight_temperature,
                margin=self.defences.gate.margin,
            ),
            batch_size=self.batch_size,
            outcomes=(),
        )

    def _part(self, head: ColaEvaluation, start: int) -> _Part:
        """A part that is there and whole, or computed anew."""
        settings = head.model_dump(mode="json", exclude={"subject": {"name"}})
        path = self.folder / key(settings) / f"{start:06d}.json"
        try:
            return _Part.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            part = self._measured(key({**settings, "start": start}), slice(start, start + self.batch_size))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, part.model_dump_json().encode())
            return part

    def _measured(self, name: str, rows: slice) -> _Part:
        attackers = replace(self.attackers, seed=int(name[:12], 16))
        samples, labels = (each.to(attackers.classifier.device) for each in self.exam.batch(rows))
        return _Part(outcomes=tuple(measure(attackers, self.defences, samples, labels)))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    outcomes: tuple[AttackOutcome, ...]


def _joined(parts: Sequence[AttackOutcome]) -> AttackOutcome:
    """One attack's outcomes on all batches."""
    verdicts = zip(*(part.verdicts for part in parts), strict=True)
    return AttackOutcome(
        attack=parts[0].attack,
        verdicts=tuple(
            Verdicts(defence=each[0].defence, right=np.concatenate([one.right for one in each]))
            for each in verdicts
        ),
        opened=np.concatenate([part.opened for part in parts]),
        seconds=sum(part.seconds for part in parts),
        devices=tuple(sorted({name for part in parts for name in part.devices})),
    )
