# SPDX-License-Identifier: Apache-2.0
"""What every attack on texts looks like, and what it maximises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

Read = Callable[[Sequence[str]], Tensor]
"""Texts -> features (N, D) float32, not normalised."""


class TextGoal(Protocol):
    """The attacker's objective.

    Called with features of perturbed texts (n, D) and `rows` (n,) int64, the places of their originals in the
    batch under attack; returns (n,), to be maximised. One text may be asked about in many forms at once.
    """

    def __call__(self, features: Tensor, rows: Tensor) -> Tensor:
        """See above."""


class TextAttack(Protocol):
    """An attack on texts, such as `WordSubstitution`."""

    def __call__(
        self, texts: Sequence[str], read: Read, goal: TextGoal, generator: torch.Generator | None = None
    ) -> list[str]:
        """Perturb texts.

        Args:
            texts: B texts.
            read: the text tower.
            goal: to maximise.
            generator: of what the attack draws, if it draws.

        Returns:
            B texts within the attack's budget; a text that no change made worse stays as it was.
        """


def divergence(clean: Tensor) -> TextGoal:
    """KL(softmax(u) || softmax(u')) of unit features: MMCoA's goal, which knows texts only.

    Args:
        clean: (B, D) features of the texts as they are.
    """
    unit = functional.normalize(clean, dim=-1)
    return lambda features, rows: kl(unit[rows], functional.normalize(features, dim=-1))


def away_from(features: Tensor) -> TextGoal:
    """Minus the cosine to what the text belongs to: SGA's goal.

    Args:
        features: (B, D), of each text's sample.
    """
    unit = functional.normalize(features, dim=-1)
    return lambda found, rows: -(functional.normalize(found, dim=-1) * unit[rows]).sum(dim=-1)


def squared_distance(clean: Tensor) -> TextGoal:
    """`||f(S') - f_0(S)||^2`, not normalised: LEAF's goal.

    Args:
        clean: (B, D) features of the texts as they are.
    """
    return lambda features, rows: (features - clean[rows]).square().sum(dim=-1)


def kl(wanted: Tensor, found: Tensor) -> Tensor:
    """KL(softmax(wanted) || softmax(found)) of rows (n, D), (n,)."""
    divergences = functional.kl_div(
        found.log_softmax(dim=-1), wanted.log_softmax(dim=-1), reduction="none", log_target=True
    )
    return divergences.sum(dim=-1)


def first_largest(values: Tensor) -> int:
    """The place of the largest of (n,) values, the first one on any device."""
    numbers = values.tolist()
    return int(max(range(len(numbers)), key=numbers.__getitem__))
