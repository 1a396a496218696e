# SPDX-License-Identifier: Apache-2.0
"""Accuracy with and without the parts of COLA, under attackers who know of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.evaluation.adaptive.attackers import Attackers
from rvl_edge.offline.evaluation.adaptive.defences import (
    COLA,
    DEFENCES,
    GATED,
    PLAIN,
    PROJECTION,
    TRANSPORT,
    Defences,
)
from rvl_edge.offline.evaluation.wilson import Proportion, proportion
from rvl_edge.refine import frame_seed, make_views

CLEAN, TRANSFER, OVER_VIEWS, END_TO_END = "clean", "transfer PGD", "EOT over views", "end-to-end"
WORST = "worst of all"
ATTACKS = (CLEAN, TRANSFER, OVER_VIEWS, END_TO_END, WORST)

_Right = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cell:
    """One defence under one attack.

    Attributes:
        defence, attack: names above; `WORST` counts a sample as broken if any attack broke it.
        accuracy: share of samples answered rightly.
        opened: share of samples that the gate spent views on; None where there is none.
    """

    defence: str
    attack: str
    accuracy: Proportion
    opened: float | None


def measure(
    attackers: Attackers, defences: Defences, batches: Iterable[tuple[Tensor, Tensor]]
) -> tuple[Cell, ...]:
    """Attack samples in every way and ask every defence about them.

    The end-to-end attacker of a defence goes through that defence; without transport the plain logits are
    all there is to go through, and behind the gate either way in counts.

    Args:
        attackers: who attack.
        defences: who answer.
        batches: samples (B, ...) in [0, 1] of the domain, and labels (B,).
    """
    right: dict[tuple[str, str], list[_Right]] = {}
    opened: dict[str, list[_Right]] = {}
    with attackers.classifier.at_rest():
        for samples, labels in batches:
            for trial in _trials(attackers, defences, samples, labels):
                right.setdefault((trial.defence, trial.attack), []).append(trial.right)
                if trial.opens is not None:
                    opened.setdefault(trial.attack, []).append(trial.opens)
    verdicts = {place: np.concatenate(parts) for place, parts in right.items()}
    for defence in DEFENCES:
        own = [each for (name, _), each in verdicts.items() if name == defence]
        verdicts[defence, WORST] = np.logical_and.reduce(own)
    shares = {attack: float(np.concatenate(parts).mean()) for attack, parts in opened.items()}
    return tuple(
        Cell(
            defence,
            attack,
            proportion(int(each.sum()), len(each)),
            shares.get(attack) if defence == GATED else None,
        )
        for (defence, attack), each in verdicts.items()
    )


@dataclass(frozen=True, eq=False)
class _Answers:
    """Of a batch: which samples each defence gets right, and where the gate opens."""

    right: Mapping[str, _Right]
    opens: _Right


@dataclass(frozen=True, eq=False)
class _Trial:
    defence: str
    attack: str
    right: _Right
    opens: _Right | None = None


def _trials(attackers: Attackers, defences: Defences, samples: Tensor, labels: Tensor) -> Iterator[_Trial]:
    def ask(attacked: Tensor) -> _Answers:
        return _answers(attackers, defences, attacked, labels)

    alike = {
        CLEAN: ask(samples),
        TRANSFER: ask(attackers.transfer(samples, labels)),
        OVER_VIEWS: ask(attackers.over_views(samples, labels)),
    }
    for attack, each in alike.items():
        for defence, right in each.right.items():
            yield _Trial(defence, attack, right, each.opens if defence == GATED else None)
    transfer = alike[TRANSFER].right
    transport = ask(attackers.end_to_end(defences.transport, samples, labels))
    cola = ask(attackers.end_to_end(defences.cola, samples, labels))
    yield _Trial(PLAIN, END_TO_END, transfer[PLAIN])
    yield _Trial(PROJECTION, END_TO_END, transfer[PROJECTION])
    yield _Trial(TRANSPORT, END_TO_END, transport.right[TRANSPORT])
    yield _Trial(COLA, END_TO_END, cola.right[COLA])
    yield _Trial(GATED, END_TO_END, cola.right[GATED] & transfer[GATED], cola.opens)


@torch.no_grad()
def _answers(attackers: Attackers, defences: Defences, samples: Tensor, labels: Tensor) -> _Answers:
    """By the views that the robot makes, in its own arithmetic."""
    variation, classifier = attackers.variation, attackers.classifier
    said, opens = [], []
    for each in classifier.domain.model_input(samples).cpu().numpy():
        views = make_views(each, variation.modality, variation.count, frame_seed(each), variation.keep)
        embedded = classifier.encoder.features(torch.from_numpy(views).to(classifier.device)).float()
        answers, open_ = defences.answers(functional.normalize(embedded, dim=-1).cpu().numpy())
        said.append(answers)
        opens.append(open_)
    truth = labels.tolist()
    right = {
        name: np.array([each[name] == label for each, label in zip(said, truth, strict=True)])
        for name in DEFENCES
    }
    return _Answers(right, np.array(opens))
