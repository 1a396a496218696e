# SPDX-License-Identifier: Apache-2.0
"""Contrast of samples and texts within a batch, over all processes that share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.hardening.objectives.gathering import everyone, own_rows
from rvl_edge.offline.hardening.objectives.interface import cosines

SameClass = Literal["negative", "masked"]
"""What other samples' texts are where the class is the same: negatives, or left out of the softmax."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """Cross-entropy of scaled cosines, the n-th sample and the n-th text being a pair.

    Attributes:
        scale: multiplies cosines.
        labels: (B,) int64, of this process's samples.
        same_class: what pairs of one class are to each other.
    """

    scale: float
    labels: Tensor
    same_class: SameClass

    def __call__(self, asked: Tensor, answers: Tensor) -> Tensor:
        """Mean over `asked` (B, D) of the cross-entropy against all processes' `answers` (B, D each)."""
        rows = torch.arange(len(asked), device=asked.device)
        logits = self.logits(asked, everyone(answers), rows)
        return functional.cross_entropy(logits, self.targets(rows))

    def logits(self, asked: Tensor, answers: Tensor, rows: Tensor) -> Tensor:
        """Of some rows of the batch (n, D) to all answers (N, D), (n, N)."""
        logits = self.scale * cosines(asked, answers)
        return logits if self.same_class == "negative" else logits.masked_fill(self._others(rows), -torch.inf)

    def targets(self, rows: Tensor) -> Tensor:
        """Places of rows of this process's batch in everyone's."""
        return own_rows(rows, len(self.labels))

    def _others(self, rows: Tensor) -> Tensor:
        """Whether an answer is of the row's class but not its own, (n, N)."""
        same = self.labels[rows, None] == everyone(self.labels)
        return same.scatter(1, self.targets(rows)[:, None], False)
