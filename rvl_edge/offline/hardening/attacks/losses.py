# SPDX-License-Identifier: Apache-2.0
"""What an attacker on a classifier maximises: numbers of its logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of (n, K) logits and (n,) labels, (n,)."""
    return functional.cross_entropy(logits, labels, reduction="none")


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Largest wrong logit minus the true one, (n,): positive where the answer is wrong (Carlini & Wagner)."""
    true = logits.gather(1, labels[:, None])[:, 0]
    return _without(logits, labels).amax(dim=1) - true


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Difference of logits ratio, (n,): the margin over the spread of the top three (Croce & Hein, eq. 6).

    It needs three classes; scaling and shifting the logits changes nothing.
    """
    ordered = logits.sort(dim=1, descending=True).values
    return margin(logits, labels) / (ordered[:, 0] - ordered[:, 2] + 1e-12)


def dlr_targeted(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Targeted difference of logits ratio, (n,) (Croce & Hein 2020, eq. 7); it needs four classes."""
    ordered = logits.sort(dim=1, descending=True).values
    gain = logits.gather(1, targets[:, None])[:, 0] - logits.gather(1, labels[:, None])[:, 0]
    return gain / (ordered[:, 0] - 0.5 * (ordered[:, 2] + ordered[:, 3]) + 1e-12)


def likeliest_wrong(logits: Tensor, labels: Tensor, rank: int) -> Tensor:
    """The wrong class with the `rank`-th largest logit (0 is the largest), (n,) int64."""
    return _without(logits, labels).topk(rank + 1, dim=1).indices[:, rank]


def _without(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.scatter(1, labels[:, None], -torch.inf)
