# SPDX-License-Identifier: Apache-2.0
"""Attacks by name, as `rvl-edge evaluate --attack` knows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.apgd import MOST_TARGETS, Apgd
from rvl_edge.offline.hardening.attacks.carlini_wagner import CarliniWagner
from rvl_edge.offline.hardening.attacks.goals import Logits, classification, misclassification
from rvl_edge.offline.hardening.attacks.pgd import MiFgsm, Pgd
from rvl_edge.offline.hardening.attacks.referee import Referee
from rvl_edge.offline.hardening.attacks.square import Square
from rvl_edge.offline.hardening.attacks.standard import StandardAttack
from rvl_edge.offline.hardening.threat import Norm, Threat


class Attack(Protocol):
    """An attack on a classifier's answers, such as `Apgd`."""

    def __call__(
        self, logits: Logits, samples: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Perturb samples (B, ...) in [0, 1] away from labels (B,)."""


@dataclass(frozen=True)
class Climb:
    """PGD on a loss of the logits.

    Attributes:
        pgd: the steps.
        loss: `cross_entropy`, or `hinged_margin`, with which it is the L-inf form of CW.
    """

    pgd: Pgd
    loss: str = "cross_entropy"

    def __call__(
        self, logits: Logits, samples: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """See `Attack`."""
        goal = classification(logits, labels, getattr(losses, self.loss))
        return self.pgd(goal, samples, generator, broken=misclassification(logits, labels))


@dataclass(frozen=True)
class Seeded:
    """The referee, which draws from a seed, as an `Attack`."""

    referee: Referee

    def __call__(
        self, logits: Logits, samples: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """See `Attack`."""
        seed = self.referee.seed if generator is None else generator.initial_seed() % 2**31
        return dataclasses.replace(self.referee, seed=seed)(logits, samples, labels)


@dataclass(frozen=True)
class Nearest:
    """Carlini and Wagner's least perturbation, cut to the budget by whoever asks, as an `Attack`."""

    carlini_wagner: CarliniWagner

    def __call__(
        self, logits: Logits, samples: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """See `Attack`; nothing is random."""
        del generator
        return self.carlini_wagner(logits, samples, labels)


@dataclass(frozen=True)
class Effort:
    """How long an arm tries; None is the arm's own number.

    Attributes:
        steps: gradient steps a try, or the queries of a black box.
        restarts: random starts.
        targets: wrong classes that `standard` tries in turn.
    """

    steps: int | None = None
    restarts: int | None = None
    targets: int | None = None

    def among(self, classes: int) -> Effort:
        """The same, with no more wrong classes than there are: what is recorded is what was tried."""
        return dataclasses.replace(self, targets=min(self.targets or MOST_TARGETS, classes - 1))


def fgsm(threat: Threat, effort: Effort) -> Attack:
    """One step of the whole radius from the sample itself (Goodfellow et al. 2015)."""
    del effort
    return Climb(Pgd(threat, 1, _radius(threat), random_start=False))


def pgd(threat: Threat, effort: Effort) -> Attack:
    """Madry's: steps of 2.5 radii over their number, from random starts."""
    return Climb(_pgd(threat, effort))


def cw(threat: Threat, effort: Effort) -> Attack:
    """PGD on Carlini and Wagner's margin, as TTC and COLA are evaluated."""
    return Climb(_pgd(threat, effort), "hinged_margin")


def cw_l2(threat: Threat, effort: Effort) -> Attack:
    """Carlini and Wagner's own attack, which looks for the least L2 perturbation and knows no budget."""
    if threat.norm is not Norm.L2:
        raise ConfigError("cw-l2 looks for the least L2 perturbation", got=threat.norm, fix="add --norm l2")
    return Nearest(CarliniWagner(effort.steps or CarliniWagner.steps))


def apgd_ce(threat: Threat, effort: Effort) -> Attack:
    """Auto-PGD on the cross-entropy."""
    return Apgd(threat, "ce", effort.steps or 100, effort.restarts or 1)


def standard(threat: Threat, effort: Effort) -> Attack:
    """APGD-CE, then APGD-T on what is left: the figure that RobustVLM and its successors state."""
    return StandardAttack(threat, effort.steps or 100, effort.targets or MOST_TARGETS)


def autoattack(threat: Threat, effort: Effort) -> Attack:
    """AutoAttack standard by its authors' code: APGD-CE, APGD-T, FAB-T and square, each on what is left."""
    return Seeded(Referee(threat, steps=effort.steps or 100))


def square(threat: Threat, effort: Effort) -> Attack:
    """The square attack, which sees the answers only."""
    return Square(threat, effort.steps or 5000)


def transfer(threat: Threat, effort: Effort) -> Attack:
    """MI-FGSM (Dong et al. 2018), whose results carry over to other encoders better than PGD's."""
    steps = effort.steps or 50
    return Climb(MiFgsm(threat, steps, 2.5 * _radius(threat) / steps, momentum=1.0, random_start=False))


ARMS: dict[str, Callable[[Threat, Effort], Attack]] = {
    "fgsm": fgsm,
    "pgd": pgd,
    "cw": cw,
    "cw-l2": cw_l2,
    "apgd-ce": apgd_ce,
    "apgd-ce+t": standard,
    "autoattack": autoattack,
    "square": square,
    "transfer": transfer,
}
TRANSFER = "transfer"
BLACK_BOXES = frozenset({"square", TRANSFER})
ATTACKERS = {
    **dict.fromkeys(ARMS, "weights, anchors and the truth"),
    "square": "the answers to its questions and the truth",
    TRANSFER: "another encoder, anchors and the truth",
}


def describe(attack: Any) -> dict[str, Any]:
    """Every setting of an attack; its threat is the condition's, and its seed the run's."""
    found: dict[str, Any] = {"attack": type(attack).__name__}
    for field in dataclasses.fields(attack):
        value = getattr(attack, field.name)
        if isinstance(value, Threat) or field.name == "seed":
            continue
        if dataclasses.is_dataclass(value):
            found |= {f"{field.name}_{name}": each for name, each in describe(value).items()}
        else:
            found[field.name] = list(value) if isinstance(value, tuple) else value
    return found


def _pgd(threat: Threat, effort: Effort) -> Pgd:
    steps = effort.steps or 50
    return Pgd(threat, steps, 2.5 * _radius(threat) / steps, restarts=effort.restarts or 1)


def _radius(threat: Threat) -> float:
    if isinstance(threat.eps, Tensor):
        raise ConfigError("this attack has one step size for all samples", fix="use --attack apgd-ce+t")
    return threat.eps
