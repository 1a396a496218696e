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


def hinged_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """`margin` up to 0, (n,): what TeCoA, TTC and COLA call CW; a sample once wrong is left there."""
    return margin(logits, labels).clamp(max=0)


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Difference of logits ratio, (n,): the margin over the spread of the top three (Croce & Hein, eq. 6).

    It needs three classes; scaling and shifting the logits changes nothing.
    """
    first, _, third = logits.topk(3, dim=1).values.unbind(dim=1)
    return margin(logits, labels) / (first - third + 1e-12)


def dlr_targeted(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Targeted difference of logits ratio, (n,) (Croce & Hein 2020, eq. 7); it needs four classes."""
    first, _, third, fourth = logits.topk(4, dim=1).values.unbind(dim=1)
    gain = logits.gather(1, targets[:, None])[:, 0] - logits.gather(1, labels[:, None])[:, 0]
    return gain / (first - 0.5 * (third + fourth) + 1e-12)


def towards(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of (n, K) logits to the classes (n,) that the attacker wants, negated, (n,)."""
    return -cross_entropy(logits, targets)


def likeliest_wrong(logits: Tensor, labels: Tensor, rank: int) -> Tensor:
    """The wrong class with the `rank`-th largest logit (0 is the largest), (n,) int64."""
    return _without(logits, labels).topk(rank + 1, dim=1).indices[:, rank]


def _without(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.scatter(1, labels[:, None], -torch.inf)
