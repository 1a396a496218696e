# SPDX-License-Identifier: Apache-2.0
"""The files that a report is made of: evaluations, attackers of COLA, monitors, gates."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from rvl_edge._validation import complaints
from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.adaptive.results import ColaEvaluation
from rvl_edge.offline.evaluation.detections import MonitorEvaluation
from rvl_edge.offline.evaluation.results import Evaluation, read_evaluation
from rvl_edge.offline.gates import GateReport


class Gated(BaseModel):
    """One candidate held against its reference.

    Attributes:
        graph: such as `image`.
        report: what its gates measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    graph: str
    report: GateReport


@dataclass(frozen=True)
class Documents:
    """What was measured, by kind, in the order given."""

    evaluations: tuple[Evaluation, ...] = ()
    cola: tuple[ColaEvaluation, ...] = ()
    monitors: tuple[MonitorEvaluation, ...] = ()
    gates: tuple[Gated, ...] = ()

    def __bool__(self) -> bool:
        return any((self.evaluations, self.cola, self.monitors, self.gates))


def read_documents(paths: Iterable[Path]) -> Documents:
    """Read files of `rvl-edge evaluate`, of the benchmarks of COLA and the monitors, and `gates.json`.

    Raises:
        ConfigError: no such file, or another kind of file.
    """
    evaluations: list[Evaluation] = []
    cola: list[ColaEvaluation] = []
    monitors: list[MonitorEvaluation] = []
    gates: list[Gated] = []
    for path in paths:
        found = _parsed(path)
        kind = found.get("kind") if isinstance(found, dict) else None
        try:
            if kind == "cola-attackers":
                cola.append(ColaEvaluation.model_validate(found))
            elif kind == "monitors":
                monitors.append(MonitorEvaluation.model_validate(found))
            elif _are_gates(found):
                reports = TypeAdapter(dict[str, GateReport]).validate_python(found)
                gates += [Gated(graph=name, report=report) for name, report in reports.items()]
            else:
                evaluations.append(read_evaluation(path))
        except ValidationError as error:
            raise ConfigError(
                f"{path} is nothing that this release reports", got=complaints(error), fix="measure again"
            ) from None
    return Documents(tuple(evaluations), tuple(cola), tuple(monitors), tuple(gates))


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no result that can be read", got=error) from None


def _are_gates(found: Any) -> bool:
    """Reports by graph; they carry no kind."""
    return (
        isinstance(found, dict)
        and bool(found)
        and all(isinstance(each, dict) and "parity" in each for each in found.values())
    )
