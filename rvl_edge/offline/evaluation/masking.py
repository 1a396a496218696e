# SPDX-License-Identifier: Apache-2.0
"""Whether robustness is real: signs that gradients are masked (Carlini et al. 2019, Athalye et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from rvl_edge.offline.evaluation.arms import Effort
from rvl_edge.offline.evaluation.asking import Arm, attack_arm
from rvl_edge.offline.evaluation.budgets import Ball
from rvl_edge.offline.evaluation.results import Evaluation, Outcome
from rvl_edge.offline.evaluation.subjects import Judge
from rvl_edge.offline.hardening.threat import Norm

LARGE_EPS = 64 / 255  # beyond what any picture of a class withstands
SLACK = 0.01  # part of the samples by which chance alone may turn an order round

_STEPS = (10, 50, 100)
_RESTARTS = 5
_QUERIES = 1000


@dataclass(frozen=True)
class Verdict:
    """One sign.

    Attributes:
        name: what is to hold of an encoder whose gradients are honest.
        passed: whether it does, but for `SLACK`.
        numbers: accuracies or losses that say so, by condition.
    """

    name: str
    passed: bool
    numbers: dict[str, float]


def checklist(eps: float, surrogate: Judge | None = None) -> tuple[Arm, ...]:
    """Arms that the verdicts need, L-inf.

    Args:
        eps: the radius that robustness is claimed at.
        surrogate: another encoder, for the transfer attack; without it that one is left out.
    """
    ball, tried = Ball(Norm.LINF, eps), Effort(steps=_STEPS[1])
    rising = [attack_arm("pgd", Ball(Norm.LINF, each), tried) for each in (eps / 2, eps, 2 * eps, LARGE_EPS)]
    longer = [attack_arm("pgd", ball, Effort(steps=each)) for each in _STEPS if each != tried.steps]
    arms = [
        *rising,
        *longer,
        attack_arm("pgd", ball, Effort(steps=_STEPS[1], restarts=_RESTARTS)),
        attack_arm("fgsm", ball, Effort()),
        attack_arm("square", ball, Effort(steps=_QUERIES)),
    ]
    return (*arms, attack_arm("transfer", ball, Effort(), surrogate)) if surrogate else tuple(arms)


def verdicts(evaluation: Evaluation, eps: float) -> tuple[Verdict, ...]:
    """Judge a run of `checklist`; signs whose arms were not run are left out."""
    return tuple(_verdicts(_Runs(evaluation, eps)))


@dataclass(frozen=True)
class _Runs:
    evaluation: Evaluation
    eps: float

    def pgd(self, *, eps: float | None = None, steps: int = _STEPS[1], restarts: int = 1) -> Outcome | None:
        wanted = {"pgd_steps": steps, "pgd_restarts": restarts}
        return self._first("pgd", self.eps if eps is None else eps, wanted)

    def other(self, name: str) -> Outcome | None:
        return self._first(name, self.eps, {})

    def accuracy(self, outcome: Outcome) -> float:
        return self.evaluation.accuracy(outcome).value

    def _first(self, name: str, eps: float, settings: dict[str, int]) -> Outcome | None:
        for each in self.evaluation.outcomes:
            condition = each.condition
            near = condition.eps is not None and abs(condition.eps - eps) < 1e-6
            if condition.name == name and near and settings.items() <= condition.settings.items():
                return each
        return None


def _verdicts(runs: _Runs) -> Iterator[Verdict]:
    usual = runs.pgd()
    if usual is None:
        return
    usual_accuracy = runs.accuracy(usual)

    radii = [0.5 * runs.eps, runs.eps, 2 * runs.eps, LARGE_EPS]
    found = [(eps, runs.pgd(eps=eps)) for eps in sorted(radii)]
    rising = {f"pgd {eps * 255:g}/255": runs.accuracy(each) for eps, each in found if each is not None}
    values = list(rising.values())
    falls = all(later <= earlier + SLACK for earlier, later in pairwise(values))
    yield Verdict("accuracy falls as eps rises", falls, rising)

    large = runs.pgd(eps=LARGE_EPS)
    if large is not None:
        accuracy = runs.accuracy(large)
        yield Verdict("nothing withstands a large eps", accuracy <= SLACK, {large.condition.title: accuracy})

    longer = {f"{steps} steps": each.loss for steps in _STEPS if (each := runs.pgd(steps=steps)) is not None}
    if len(longer) > 1:
        climbs = all(later >= earlier * (1 - SLACK) for earlier, later in pairwise(longer.values()))
        yield Verdict("the loss rises with steps", climbs, longer)

    again = runs.pgd(restarts=_RESTARTS)
    if again is not None:
        numbers = {"1 restart": usual_accuracy, f"{_RESTARTS} restarts": runs.accuracy(again)}
        little = usual_accuracy - runs.accuracy(again) <= 3 * SLACK
        yield Verdict("restarts change little", little, numbers)

    weaker = {"fgsm": "one step is no stronger than many"}
    weaker |= {
        name: f"{name}, a black box, is no stronger than the white box" for name in ("square", "transfer")
    }
    for name, claim in weaker.items():
        outcome = runs.other(name)
        if outcome is not None:
            numbers = {"pgd": usual_accuracy, name: runs.accuracy(outcome)}
            yield Verdict(claim, runs.accuracy(outcome) >= usual_accuracy - SLACK, numbers)
