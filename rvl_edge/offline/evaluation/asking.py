# SPDX-License-Identifier: Apache-2.0
"""One batch under one condition: attack it, then ask."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.errors import BadOutput
from rvl_edge.offline.evaluation.arms import ARMS, BLACK_BOXES, Attack, Effort, describe
from rvl_edge.offline.evaluation.exam import Alter
from rvl_edge.offline.evaluation.results import Condition
from rvl_edge.offline.hardening.attacks.goals import Logits
from rvl_edge.offline.hardening.threat import Norm, Threat


@dataclass(frozen=True, eq=False)
class Strike:
    """An attack at one strength.

    Attributes:
        threat: what it may change; whatever it returns is projected into this.
        attack: the attack.
        crafted_on: whom it attacks; None is whoever is asked.
    """

    threat: Threat
    attack: Attack
    crafted_on: Logits | None = None


@dataclass(frozen=True, eq=False)
class Arm:
    """A condition and how it comes about.

    Attributes:
        condition: what is done to the samples.
        strike: of an attack, on samples of the domain.
        alter: of a corruption, on the sensor's samples.
    """

    condition: Condition
    strike: Strike | None = None
    alter: Alter | None = None


@dataclass(frozen=True, eq=False)
class Answers:
    """What came back, one a sample: `classes` int64, `confidences` and `losses` float32, each (B,)."""

    classes: Tensor
    confidences: Tensor
    losses: Tensor


CLEAN = Arm(Condition(kind="clean", name="clean"))


def attack_arm(
    name: str, norm: Norm, eps: float, effort: Effort, surrogate: tuple[str, Logits] | None = None
) -> Arm:
    """An arm of `ARMS` at one strength.

    Args:
        name: of the arm.
        norm: of the perturbation.
        eps: its radius, in units of the domain's full scale.
        effort: how long to try.
        surrogate: name and logits of another encoder, on which `transfer` is crafted.
    """
    threat = Threat(norm, eps)
    attack = ARMS[name](threat, effort)
    attacker = "the answers" if name in BLACK_BOXES else "weights, anchors and the truth"
    if name == "transfer" and surrogate is not None:
        attacker = f"another encoder, {surrogate[0]}, and the truth"
    condition = Condition(
        kind="attack",
        name=name,
        norm=norm.value,
        eps=eps,
        settings={"attack": type(attack).__name__, **describe(attack)},
        attacker=attacker,
    )
    return Arm(condition, Strike(threat, attack, surrogate[1] if surrogate and name == "transfer" else None))


def ask(judge: Logits, strike: Strike | None, samples: Tensor, labels: Tensor, seed: int) -> Answers:
    """Attack what is right, and ask about everything.

    Args:
        judge: who is asked; attacked itself unless the attack is crafted on another.
        strike: the attack, if any.
        samples: (B, ...) in [0, 1].
        labels: (B,) int64.
        seed: of the attack.

    Raises:
        BadOutput: answers that are no numbers.
    """
    with torch.no_grad():
        logits = _checked(judge(samples))
    rows = (logits.argmax(dim=1) == labels).nonzero()[:, 0]
    if strike is not None and len(rows):
        found = perturb(judge, strike, samples[rows], labels[rows], seed)
        with torch.no_grad():
            logits[rows] = _checked(judge(found))
    confidences, classes = logits.softmax(dim=1).max(dim=1)
    return Answers(classes, confidences, functional.cross_entropy(logits, labels, reduction="none"))


def perturb(judge: Logits, strike: Strike, samples: Tensor, labels: Tensor, seed: int) -> Tensor:
    """Samples under attack, within its threat whatever the attack is."""
    generator = torch.Generator(samples.device).manual_seed(seed)
    found = strike.attack(strike.crafted_on or judge, samples, labels, generator)
    return strike.threat.project(found.detach(), samples)


def _checked(logits: Tensor) -> Tensor:
    if not logits.isfinite().all():
        raise BadOutput("the encoder's answers are no numbers", fix="evaluate it in float32")
    return logits
