# SPDX-License-Identifier: Apache-2.0
"""A candidate held against its reference on the same frames: embeddings, answers, answers under attack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from rvl_edge.backends import Session
from rvl_edge.errors import GateFailed
from rvl_edge.offline.evaluation.paired import Difference, difference
from rvl_edge.offline.evaluation.wilson import Proportion, proportion
from rvl_edge.offline.exporting.parity import Embedded, Parity, compare
from rvl_edge.offline.gates.frames import Frames, ask
from rvl_edge.offline.gates.recipe import GateRecipe
from rvl_edge.offline.gates.replay import Replay
from rvl_edge.types import FloatArray


@dataclass(frozen=True)
class Drop:
    """Top-1 accuracy that the candidate loses under one condition.

    Attributes:
        condition: `as they are`, or the attack.
        reference: accuracy of the reference.
        candidate: accuracy of the candidate.
        lost: the first minus the second on the same frames, with the 95 % interval and McNemar's test.
        allowed: what the interval's upper end may be.
    """

    condition: str
    reference: Proportion
    candidate: Proportion
    lost: Difference
    allowed: float

    @property
    def passed(self) -> bool:
        """A larger loss than allowed is ruled out."""
        return self.lost.high <= self.allowed


@dataclass(frozen=True)
class GateReport:
    """One candidate's gates.

    Attributes:
        reference, candidate: what ran, as the sessions describe themselves.
        parity: of the embeddings of the frames as they are.
        clean: frames as they are.
        robust: frames attacked through the torch model; None where there was none to attack.
    """

    reference: str
    candidate: str
    parity: Parity
    clean: Drop
    robust: Drop | None

    @property
    def missed(self) -> tuple[str, ...]:
        """Names of the gates that were missed: `parity`, `clean`, `robust`."""
        drops = {"clean": self.clean, "robust": self.robust}
        missed = [name for name, drop in drops.items() if drop is not None and not drop.passed]
        return tuple([] if self.parity.passed else ["parity"]) + tuple(missed)

    @property
    def passed(self) -> bool:
        """None was missed."""
        return not self.missed


def hold(
    replay: Replay, candidate: Session, gates: GateRecipe, *, backend: str, precision: str
) -> GateReport:
    """Run a candidate over frames whose answers by the reference are known.

    Args:
        replay: the frames, and what the ONNX graph that the torch model was exported to makes of them.
        candidate: what was made of that graph: quantised, or an engine on any runtime.
        gates: thresholds.
        backend, precision: of the candidate, for the report.
    """
    frames, wanted, found = replay.frames, replay.reference, ask(candidate, replay.frames)
    ours, theirs = _answers(wanted.clean, frames), _answers(found.clean, frames)
    parity = compare(
        Embedded(wanted.clean, ours),
        Embedded(found.clean, theirs),
        gates.parity,
        backend=backend,
        precision=precision,
        source=frames.source,
    )
    robust = None
    if frames.attacked is not None and wanted.attacked is not None and found.attacked is not None:
        robust = _drop(
            frames.attacked.attack,
            _answers(wanted.attacked, frames),
            _answers(found.attacked, frames),
            frames.truths,
            gates.robust_drop,
        )
    return GateReport(
        wanted.encoder,
        found.encoder,
        parity,
        _drop("as they are", ours, theirs, frames.truths, gates.clean_drop),
        robust,
    )


def require(report: GateReport, name: str, *, fix: str) -> None:
    """Raise GateFailed, which says by how much, where a gate was missed.

    Args:
        report: of `hold`.
        name: of the candidate.
        fix: what else than more frames may mend it.
    """
    if report.passed:
        return
    got, expected = [], []
    if "parity" in report.missed:
        parity, floor = report.parity, report.parity.thresholds
        got.append(
            f"parity: cosine {parity.cosine_min:.4f}, difference {parity.max_abs:.2g}, "
            f"{parity.top1_agreement:.1%} of labels the same"
        )
        expected.append(f"{floor.cosine_min}, {floor.max_abs}, {floor.top1_min:.1%}")
    for kind, drop in (("clean", report.clean), ("robust", report.robust)):
        if drop is not None and not drop.passed:
            got.append(
                f"{kind}: top-1 {drop.reference.value:.1%} to {drop.candidate.value:.1%} "
                f"({drop.condition}), a loss of up to {drop.lost.high:.1%}"
            )
            expected.append(f"{drop.allowed:.1%}")
    raise GateFailed(
        f"{name} missed {len(got)} of its gates ({', '.join(report.missed)})",
        got="; ".join(got),
        expected="; ".join(expected),
        fix=f"{fix}; or ask about more frames where the interval is wide",
    )


def report_json(reports: Mapping[str, GateReport]) -> bytes:
    """Reports by graph, as JSON for a bundle's `reports/`."""
    plain = {name: {**asdict(each), "missed": each.missed} for name, each in reports.items()}
    return (json.dumps(plain, indent=2) + "\n").encode()


def _answers(embeddings: FloatArray, frames: Frames) -> npt.NDArray[np.int64]:
    return np.asarray((embeddings @ frames.anchors.T).argmax(axis=1))


def _drop(
    condition: str,
    reference: npt.NDArray[np.int64],
    candidate: npt.NDArray[np.int64],
    truths: npt.NDArray[np.int64],
    allowed: float,
) -> Drop:
    first, second = reference == truths, candidate == truths
    count = len(truths)
    return Drop(
        condition,
        proportion(int(first.sum()), count),
        proportion(int(second.sum()), count),
        difference(first, second),
        allowed,
    )
