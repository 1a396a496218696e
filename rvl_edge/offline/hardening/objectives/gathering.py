# SPDX-License-Identifier: Apache-2.0
"""What belongs to the batch of all processes that train together; alone, a process has it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed


def everyone(values: Tensor) -> Tensor:
    """Rows (B, ...) of all processes in the order of their ranks, (N, ...), with gradients to all of them."""
    found: Tensor = _Gathered.apply(values) if _shared() else values
    return found


def everyones_texts(texts: Sequence[str]) -> list[str]:
    """Texts of all processes in the order of their ranks."""
    if not _shared():
        return list(texts)
    parts: list[list[str]] = [[] for _ in range(distributed.get_world_size())]
    distributed.all_gather_object(parts, list(texts))
    return [text for part in parts for text in part]


def own_rows(rows: Tensor, count: int) -> Tensor:
    """Places in everyone's of this process's rows, which are `count` in all."""
    return rows + count * (distributed.get_rank() if _shared() else 0)


class _Gathered(torch.autograd.Function):
    """Everyone's values; what flows back to one's own is the sum of what all made of them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """See above."""
        del ctx
        parts = [torch.empty_like(values) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, values.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """See above."""
        del ctx
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]


def _shared() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
