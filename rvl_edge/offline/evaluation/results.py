# SPDX-License-Identifier: Apache-2.0
"""What an evaluation leaves behind: one JSON file with every sample's outcome and all settings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from rvl_edge._files import write_atomic
from rvl_edge._validation import complaints
from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.packing import ClassColumn, RealColumn
from rvl_edge.offline.evaluation.wilson import Proportion, proportion
from rvl_edge.offline.hardening.threat import Norm
from rvl_edge.types import Modality

SCHEMA_VERSION: Literal[1] = 1

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Condition(_Entry):
    """What was done to the samples before they were asked about.

    Attributes:
        kind: of the treatment; a `check` is an attack that looks for masked gradients.
        name: `clean`, an attack arm's or a corruption's.
        norm: of an attack's perturbation.
        eps: its radius, in units of the domain's full scale.
        snr_db: the radius of each sound's own, as a signal-to-noise ratio in decibels.
        severity: 1 to 5, of a corruption.
        settings: every further number of an attack.
        attacker: what an attacker saw.
    """

    kind: Literal["clean", "attack", "check", "corruption"]
    name: Name
    norm: Norm | None = None
    eps: Annotated[float, Field(gt=0)] | None = None
    snr_db: float | None = None
    severity: Annotated[int, Field(ge=1, le=5)] | None = None
    settings: dict[str, JsonValue] = {}
    attacker: str | None = None

    @property
    def title(self) -> str:
        """Such as `pgd 4/255`, `pgd l2 0.5/255` or `fog 3`."""
        strengths = (
            None if self.norm is not Norm.L2 or self.eps is None else str(self.norm),
            None if self.eps is None else f"{self.eps * 255:g}/255",
            None if self.snr_db is None else f"{self.snr_db:g} dB",
            None if self.severity is None else str(self.severity),
        )
        return " ".join([self.name, *(each for each in strengths if each is not None)])

    @property
    def place(self) -> tuple[int, str, int, float, float, int]:
        """Sorts by kind, name and norm, and from the weakest to the strongest: ratios fall, others rise."""
        kind = get_args(Condition.model_fields["kind"].annotation).index(self.kind)
        norm = (None, *Norm).index(self.norm)
        return kind, self.name, norm, self.eps or 0, -(self.snr_db or 0), self.severity or 0


class Outcome(_Entry):
    """The answers under one condition.

    Attributes:
        condition: what was done.
        answers: (N,) class. Samples that are answered wrong as they are, are not attacked.
        confidences: (N,) probability of the answer.
        losses: (N,) cross-entropy of the truth, in nats.
        seconds: of computing, summed over processes.
        devices: what computed.
    """

    condition: Condition
    answers: ClassColumn
    confidences: RealColumn
    losses: RealColumn
    seconds: float
    devices: tuple[str, ...]

    @property
    def loss(self) -> float:
        """Mean cross-entropy of the truth."""
        return float(self.losses.mean(dtype=np.float64))


class Subject(_Entry):
    """What was asked.

    Attributes:
        name: of the method, for tables.
        kind: a checkpoint by torch, or a bundle by its runtime.
        sha256: of a checkpoint's card and weights, or of the bundle's manifest.
        anchors_sha256: of the text anchors (K, D) float32.
        scale: inverse temperature of the answers.
        precision: of a checkpoint's tower; a bundle's is its graphs' and its backend's.
        backend: of a bundle.
    """

    name: Name
    kind: Literal["checkpoint", "bundle"]
    sha256: Sha256
    anchors_sha256: Sha256
    scale: float
    precision: Literal["float32", "bfloat16"]
    backend: str | None = None


class SampleSet(_Entry):
    """Which samples were asked about.

    Attributes:
        name: folder of the set.
        part: of the set.
        count: how many.
        sha256: over the sensor's samples and their labels, whatever the encoder makes of them.
        simulated: the samples were simulated.
        label_set: what was asked.
        labels: K class names.
        domain: where perturbations live.
    """

    name: Name
    part: Literal["train", "validation", "test"]
    count: Annotated[int, Field(ge=1)]
    sha256: Sha256
    simulated: bool
    label_set: Name
    labels: tuple[str, ...]
    domain: Name


class Evaluation(_Entry):
    """One run.

    Attributes:
        schema_version: of this file.
        release: of rvl_edge.
        modality: the sense.
        subject: what was asked.
        samples: what about.
        truths: (N,) class.
        seed: of all that is random in attacks and corruptions.
        batch_size: samples at once; random starts depend on it.
        outcomes: one a condition.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    release: str
    modality: Modality
    subject: Subject
    samples: SampleSet
    truths: ClassColumn
    seed: int
    batch_size: Annotated[int, Field(ge=1)]
    outcomes: tuple[Outcome, ...]

    @model_validator(mode="after")
    def _rows_agree(self) -> Evaluation:
        count, classes = self.samples.count, len(self.samples.labels)
        columns: list[npt.NDArray[Any]] = [self.truths]
        for each in self.outcomes:
            columns += [each.answers, each.confidences, each.losses]
        if any(len(column) != count for column in columns):
            raise ValueError(f"a column does not have {count} rows")
        if any(each.answers.max() >= classes for each in self.outcomes) or self.truths.max() >= classes:
            raise ValueError(f"an answer is none of the {classes} classes")
        titles = [each.condition.title for each in self.outcomes]
        if len(set(titles)) < len(titles):
            raise ValueError("a condition is there twice")
        return self

    def right(self, outcome: Outcome) -> npt.NDArray[np.bool_]:
        """Which samples were answered right, (N,)."""
        return np.asarray(outcome.answers == self.truths)

    def accuracy(self, outcome: Outcome) -> Proportion:
        """Right answers of all, with the 95 % interval."""
        return proportion(int(self.right(outcome).sum()), self.samples.count)

    def recall(self, outcome: Outcome) -> dict[str, Proportion]:
        """Right answers of each class that has samples."""
        right = self.right(outcome)
        members = {label: self.truths == index for index, label in enumerate(self.samples.labels)}
        return {
            label: proportion(int(right[rows].sum()), int(rows.sum()))
            for label, rows in members.items()
            if rows.any()
        }

    def worst(self, outcomes: Iterable[Outcome]) -> npt.NDArray[np.bool_]:
        """Which samples were answered right under each of several conditions, (N,)."""
        return np.asarray(np.logical_and.reduce([self.right(each) for each in outcomes]))

    def find(self, title: str) -> Outcome | None:
        """The outcome of the condition with this title, if it was run."""
        return next((each for each in self.outcomes if each.condition.title == title), None)


def write_evaluation(evaluation: BaseModel, path: Path) -> None:
    """Write the file of an evaluation of any kind, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, evaluation.model_dump_json(indent=1).encode() + b"\n")


def read_evaluation(path: Path) -> Evaluation:
    """Read a file of `write_evaluation`.

    Raises:
        ConfigError: no such file, or another kind of file.
    """
    try:
        return Evaluation.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError("the evaluation cannot be read", got=error) from None
    except ValidationError as error:
        raise ConfigError(
            f"{path} is no evaluation that this release reads",
            got=complaints(error),
            expected=f"schema_version {SCHEMA_VERSION}",
            fix="run `rvl-edge evaluate` again",
        ) from None
