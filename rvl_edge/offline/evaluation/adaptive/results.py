# SPDX-License-Identifier: Apache-2.0
"""What attackers of COLA leave behind: one JSON file with every sample's verdict and all settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rvl_edge.offline.evaluation.adaptive.defences import GATED
from rvl_edge.offline.evaluation.packing import FlagColumn
from rvl_edge.offline.evaluation.results import Name, SampleSet, Subject
from rvl_edge.offline.evaluation.wilson import Proportion, proportion
from rvl_edge.offline.hardening.threat import Norm
from rvl_edge.types import Modality

WORST = "worst of all"
"""A sample counts as broken if any attack broke it."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class AttackerSettings(_Entry):
    """PGD on cross-entropy from a random start.

    Attributes:
        norm: of a perturbation.
        eps: its radius, in units of the domain's full scale.
        steps: gradient steps.
        step_size: in the same units.
        precision: of the tower while it is attacked; verdicts are always in float32.
        seed: of starts and drawn views.
    """

    norm: Norm
    eps: Annotated[float, Field(gt=0)]
    steps: Annotated[int, Field(ge=1)]
    step_size: Annotated[float, Field(gt=0)]
    precision: Literal["float32", "bfloat16"]
    seed: int


class ColaChoice(_Entry):
    """The numbers of `ColaSettings` and of its `Gate` that were attacked."""

    views: int
    keep: float
    rank: int
    epsilon: float
    weight_temperature: float
    margin: float


class Verdicts(_Entry):
    """Which samples a defence answers rightly, (N,): before the attack and after it."""

    defence: Name
    right: FlagColumn


class AttackOutcome(_Entry):
    """One attack.

    Attributes:
        attack: its name.
        verdicts: of the defences that it was tried on.
        opened: (N,) where the gate spends views.
        seconds: of computing, attack and verdicts.
        devices: what computed.
    """

    attack: Name
    verdicts: tuple[Verdicts, ...]
    opened: FlagColumn
    seconds: float
    devices: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """One defence under one attack.

    Attributes:
        defence, attack: their names, or `WORST`.
        accuracy: share of samples answered rightly before and after the attack.
        opened: share of samples that the gate spent views on; None where there is none.
    """

    defence: str
    attack: str
    accuracy: Proportion
    opened: float | None


class ColaEvaluation(_Entry):
    """One encoder with COLA behind it, under attackers who know of it.

    Attributes:
        schema_version, kind: of this file.
        release: of rvl_edge.
        modality: the sense.
        subject: the encoder, as it answers.
        samples: what it was asked about.
        attacker: PGD's settings.
        cola: COLA's.
        batch_size: samples at once; random starts depend on it.
        outcomes: one an attack, the first without any.
    """

    schema_version: Literal[1] = 1
    kind: Literal["cola-attackers"] = "cola-attackers"
    release: str
    modality: Modality
    subject: Subject
    samples: SampleSet
    attacker: AttackerSettings
    cola: ColaChoice
    batch_size: Annotated[int, Field(ge=1)]
    outcomes: tuple[AttackOutcome, ...]

    @model_validator(mode="after")
    def _rows_agree(self) -> ColaEvaluation:
        columns = [each.opened for each in self.outcomes]
        columns += [verdict.right for each in self.outcomes for verdict in each.verdicts]
        if any(len(column) != self.samples.count for column in columns):
            raise ValueError(f"a column does not have {self.samples.count} rows")
        return self

    def cells(self) -> Iterator[Cell]:
        """Every defence under every attack, and at last under the worst of all for each sample."""
        worst: dict[str, npt.NDArray[np.bool_]] = {}
        for outcome in self.outcomes:
            for each in outcome.verdicts:
                opened = float(outcome.opened.mean()) if each.defence == GATED else None
                yield Cell(each.defence, outcome.attack, _share(each.right), opened)
                worst[each.defence] = worst.get(each.defence, each.right) & each.right
        for defence, right in worst.items():
            yield Cell(defence, WORST, _share(right), None)


def _share(right: npt.NDArray[np.bool_]) -> Proportion:
    return proportion(int(right.sum()), len(right))
