# SPDX-License-Identifier: Apache-2.0
"""A batch with and without the parts of COLA, under attackers who know of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
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
from rvl_edge.offline.evaluation.adaptive.results import AttackOutcome, Verdicts
from rvl_edge.offline.evaluation.running import device_name
from rvl_edge.refine import Cola, frame_seed, make_views

CLEAN, TRANSFER, OVER_VIEWS = "clean", "transfer PGD", "EOT over views"
END_TO_END, THROUGH = "end-to-end, plan held", "end-to-end, nothing held"
ATTACKS = (CLEAN, TRANSFER, OVER_VIEWS, END_TO_END, THROUGH)

_Flags = npt.NDArray[np.bool_]


def measure(
    attackers: Attackers, defences: Defences, samples: Tensor, labels: Tensor
) -> Iterator[AttackOutcome]:
    """Attack a batch in every way and ask every defence about it.

    The end-to-end attacker of a defence goes through that defence; without transport the plain logits are
    all there is to go through, and behind the gate either way in counts. Samples that a defence gets wrong as
    they are, are wrong whatever an attack makes of them, and its own attacker leaves them alone.

    Args:
        attackers: who attack; classifier at rest.
        defences: who answer.
        samples: (B, ...) in [0, 1] of the domain.
        labels: (B,).

    Yields:
        One outcome for each of `ATTACKS`, in their order; the last is tried on COLA alone, gated and not.
    """

    def strike(attack: Callable[[Tensor, Tensor], Tensor], right: _Flags) -> _Answers:
        rows = torch.from_numpy(np.flatnonzero(right))
        attacked = samples.clone()
        if len(rows):
            attacked[rows] = attack(samples[rows], labels[rows])
        return _ask(attackers, defences, attacked, labels).after(clean)

    def through(cola: Cola, right: _Flags, *, hold_plan: bool = True) -> _Answers:
        return strike(lambda *batch: attackers.end_to_end(cola, *batch, hold_plan=hold_plan), right)

    clock = _Clock(attackers)
    clean = _ask(attackers, defences, samples, labels)
    yield clock.outcome(CLEAN, clean.right, clean.opens)
    some = np.logical_or.reduce(list(clean.right.values()))
    transfer = strike(attackers.transfer, some)
    yield clock.outcome(TRANSFER, transfer.right, transfer.opens)
    over_views = strike(attackers.over_views, some)
    yield clock.outcome(OVER_VIEWS, over_views.right, over_views.opens)

    transport = through(defences.transport, clean.right[TRANSPORT])
    refined = clean.right[COLA] | clean.right[GATED]
    cola = through(defences.cola, refined)
    right = {each: transfer.right[each] for each in (PLAIN, PROJECTION)}
    right[TRANSPORT] = transport.right[TRANSPORT]
    right[COLA] = cola.right[COLA]
    right[GATED] = cola.right[GATED] & transfer.right[GATED]
    yield clock.outcome(END_TO_END, right, cola.opens)
    cola = through(defences.cola, refined, hold_plan=False)
    right = {COLA: cola.right[COLA], GATED: cola.right[GATED] & transfer.right[GATED]}
    yield clock.outcome(THROUGH, right, cola.opens)


@dataclass(frozen=True, eq=False)
class _Answers:
    """Of a batch: which samples each defence gets right, and where the gate opens."""

    right: Mapping[str, _Flags]
    opens: _Flags

    def after(self, clean: _Answers) -> _Answers:
        return _Answers({name: each & clean.right[name] for name, each in self.right.items()}, self.opens)


class _Clock:
    """Makes outcomes that know what they took since the one before."""

    def __init__(self, attackers: Attackers) -> None:
        self._devices = (device_name(attackers.classifier.device),)
        self._begin = time.perf_counter()

    def outcome(self, attack: str, right: Mapping[str, _Flags], opened: _Flags) -> AttackOutcome:
        begin, self._begin = self._begin, time.perf_counter()
        return AttackOutcome(
            attack=attack,
            verdicts=tuple(Verdicts(defence=name, right=each) for name, each in right.items()),
            opened=opened,
            seconds=self._begin - begin,
            devices=self._devices,
        )


@torch.no_grad()
def _ask(attackers: Attackers, defences: Defences, samples: Tensor, labels: Tensor) -> _Answers:
    """By the views that the robot makes, in its own arithmetic."""
    variation, classifier = attackers.variation, attackers.classifier
    inputs = classifier.domain.model_input(samples).cpu().numpy()
    views = np.stack(
        [
            make_views(each, variation.modality, variation.count, frame_seed(each), variation.keep)
            for each in inputs
        ]
    )
    batch = torch.from_numpy(views).to(classifier.device)
    embedded = functional.normalize(classifier.encoder.features(batch.flatten(0, 1)).float(), dim=-1)
    said, opens = zip(
        *(defences.answers(each) for each in embedded.view(*batch.shape[:2], -1).cpu().numpy()), strict=True
    )
    truth = labels.cpu().numpy()
    return _Answers(
        {name: np.array([each[name] for each in said]) == truth for name in DEFENCES}, np.array(opens)
    )
