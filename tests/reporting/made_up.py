# SPDX-License-Identifier: Apache-2.0
"""Evaluations with figures that are known."""

from __future__ import annotations

import numpy as np

from rvl_edge.offline.evaluation.results import Condition, Evaluation, Outcome, SampleSet, Subject
from rvl_edge.offline.hardening.threat import Norm
from rvl_edge.types import Modality

LABELS = ("dog", "car", "</td><script>alert(1)</script> | `x`\u202e")
COUNT = 30
CLEAN = Condition(kind="clean", name="clean")


def attack(eps: float, name: str = "apgd-ce+t") -> Condition:
    return Condition(
        kind="attack",
        name=name,
        norm=Norm.LINF,
        eps=eps / 255,
        settings={"steps": 100, "attack": "StandardAttack"},
        attacker="weights, anchors and the truth",
    )


def ratio(decibels: float) -> Condition:
    return Condition(kind="attack", name="apgd-ce+t", norm=Norm.L2, snr_db=decibels)


def corruption(name: str, severity: int) -> Condition:
    return Condition(kind="corruption", name=name, severity=severity)


def evaluation(
    name: str = "plain",
    right: tuple[tuple[Condition, int], ...] = ((CLEAN, 24),),
    *,
    domain: str = "pixels",
    kind: str = "checkpoint",
    modality: Modality = Modality.IMAGE,
) -> Evaluation:
    """Under each condition the first so many samples are answered right."""
    truths = np.arange(COUNT) % len(LABELS)
    outcomes = []
    for condition, hits in right:
        answers = np.where(np.arange(COUNT) < hits, truths, (truths + 1) % len(LABELS))
        outcomes.append(
            Outcome(
                condition=condition,
                answers=answers,
                confidences=np.linspace(0.4, 0.9, COUNT),
                losses=np.full(COUNT, 0.5),
                seconds=1.0,
                devices=("a CPU, 1 threads",),
            )
        )
    return Evaluation(
        release="0.1.0",
        modality=modality,
        subject=Subject(
            name=name,
            kind=kind,
            sha256="a" * 64,
            anchors_sha256="b" * 64,
            scale=20.0,
            precision="float32",
        ),
        samples=SampleSet(
            name="made-up",
            part="test",
            count=COUNT,
            sha256="c" * 64,
            simulated=False,
            label_set="objects",
            labels=LABELS,
            domain=domain,
        ),
        truths=truths,
        seed=7,
        batch_size=16,
        outcomes=tuple(outcomes),
    )
