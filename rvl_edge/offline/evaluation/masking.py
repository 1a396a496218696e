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
_ONE_STEP = "check fgsm"
_BLACK_BOXES = ("check square", "check transfer")


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
    return tuple(_arms(eps, surrogate))


def verdicts(evaluation: Evaluation) -> tuple[Verdict, ...]:
    """Judge a run of `checklist`; none without one."""
    radii = [each.condition.eps for each in evaluation.outcomes if each.condition.name == _ONE_STEP]
    return tuple(_verdicts(evaluation, radii[0])) if radii and radii[0] is not None else ()


def _arms(eps: float, surrogate: Judge | None) -> Iterator[Arm]:
    def pgd(radius: float, steps: int, restarts: int = 1) -> Arm:
        effort = Effort(steps, restarts)
        return attack_arm("pgd", Ball(Norm.LINF, radius), effort, check=_name(steps, restarts))

    ball = Ball(Norm.LINF, eps)
    for radius in _radii(eps):
        yield pgd(radius, _STEPS[1])
    yield pgd(eps, _STEPS[0])
    yield pgd(eps, _STEPS[2])
    yield pgd(eps, _STEPS[1], _RESTARTS)
    yield attack_arm("fgsm", ball, Effort(), check=_ONE_STEP)
    yield attack_arm("square", ball, Effort(steps=_QUERIES), check=_BLACK_BOXES[0])
    if surrogate is not None:
        yield attack_arm("transfer", ball, Effort(), surrogate, check=_BLACK_BOXES[1])


def _radii(eps: float) -> list[float]:
    return sorted({eps / 2, eps, 2 * eps, LARGE_EPS})


def _name(steps: int, restarts: int = 1) -> str:
    return f"check pgd-{steps}" if restarts == 1 else f"check pgd-{steps}x{restarts}"


def _verdicts(evaluation: Evaluation, eps: float) -> Iterator[Verdict]:
    def at(name: str, radius: float = eps) -> Outcome:
        found = evaluation.find(f"{name} {radius * 255:g}/255")
        assert found is not None  # arms of a checklist are run together
        return found

    def accuracy(outcome: Outcome) -> float:
        return evaluation.accuracy(outcome).value

    usual = accuracy(at(_name(_STEPS[1])))
    falling = {f"{each * 255:g}/255": accuracy(at(_name(_STEPS[1]), each)) for each in _radii(eps)}
    falls = all(later <= earlier + SLACK for earlier, later in pairwise(falling.values()))
    yield Verdict("accuracy falls as eps rises", falls, falling)

    large = accuracy(at(_name(_STEPS[1]), LARGE_EPS))
    yield Verdict("nothing withstands a large eps", large <= SLACK, {f"{LARGE_EPS * 255:g}/255": large})

    longer = {f"{steps} steps": at(_name(steps)).loss for steps in _STEPS}
    rises = all(later >= earlier * (1 - SLACK) for earlier, later in pairwise(longer.values()))
    yield Verdict("the loss rises with steps", rises, longer)

    again = accuracy(at(_name(_STEPS[1], _RESTARTS)))
    numbers = {"1 restart": usual, f"{_RESTARTS} restarts": again}
    yield Verdict("restarts change little", usual - again <= 3 * SLACK, numbers)

    for name in (_ONE_STEP, *_BLACK_BOXES):
        outcome = evaluation.find(f"{name} {eps * 255:g}/255")
        if outcome is not None:
            weaker, title = accuracy(outcome), name.removeprefix("check ")
            numbers = {"pgd": usual, title: weaker}
            yield Verdict(f"{title} is no stronger than pgd", weaker >= usual - SLACK, numbers)
