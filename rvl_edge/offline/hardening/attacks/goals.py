# SPDX-License-Identifier: Apache-2.0
"""What an attacker maximises, one number a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

Logits = Callable[[Tensor], Tensor]
"""A classifier under attack: (n, ...) in [0, 1] to logits (n, K), float32, with gradients."""


class Goal(Protocol):
    """The attacker's objective.

    Called with perturbed samples (n, ...) in the domain and `rows` (n,), the places of those samples in the
    batch under attack; returns (n,), to be maximised. An attack that has broken some samples asks for the
    others only.
    """

    def __call__(self, samples: Tensor, rows: Tensor) -> Tensor:
        """See above."""


def classification(logits: Logits, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> Goal:
    """A loss of `losses` as a goal.

    `Pgd(threat, 10, 1 / 255)(classification(logits, labels, losses.hinged_margin), samples)` is the L-inf CW
    attack of TTC and COLA; with `losses.towards` and the wanted classes for labels, PGD is targeted.

    Args:
        logits: the classifier.
        labels: (B,) int64, of the whole batch.
        loss: maps logits (n, K) and their labels (n,) to (n,).
    """
    return lambda samples, rows: loss(logits(samples), labels[rows])


def misclassification(logits: Logits, labels: Tensor) -> Goal:
    """Whether samples are answered wrong, (n,) bool.

    Args:
        logits: the classifier.
        labels: (B,) int64, of the whole batch.
    """
    return lambda samples, rows: logits(samples).argmax(dim=1) != labels[rows]
