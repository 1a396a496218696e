# SPDX-License-Identifier: Apache-2.0
"""What a GPU reaches at best, measured: no encoder on it can be faster than its copies and products.

Datasheets state peaks at clocks that a card in a warm case does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

_COPY = 1 << 30  # bytes, beyond any cache
_SIDE = 8192  # of square matrices
_RUNS = 20


@dataclass(frozen=True)
class Ceilings:
    """Best of twenty runs.

    Attributes:
        device: the GPU's name.
        copy_gb_per_second: bytes read and written by a copy within the GPU's memory.
        upload_gb_per_second: from page-locked memory to the GPU.
        tflop_per_second: of a square matrix product, by type.
    """

    device: str
    copy_gb_per_second: float
    upload_gb_per_second: float
    tflop_per_second: dict[str, float]


def measure_ceilings() -> Ceilings:
    """Measure the current CUDA device by torch."""
    source = torch.empty(_COPY, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    host = torch.empty(_COPY, dtype=torch.uint8, pin_memory=True)
    products = {}
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        left, right = (torch.randn(_SIDE, _SIDE, device="cuda", dtype=dtype) for _ in range(2))
        out = torch.empty_like(left)
        best = _best(lambda a=left, b=right, c=out: torch.matmul(a, b, out=c))  # type: ignore[misc]
        products[str(dtype).removeprefix("torch.")] = 2e-9 * _SIDE**3 / best
    return Ceilings(
        device=torch.cuda.get_device_name(),
        copy_gb_per_second=2e-6 * _COPY / _best(lambda: target.copy_(source)),
        upload_gb_per_second=1e-6 * _COPY / _best(lambda: target.copy_(host, non_blocking=True)),
        tflop_per_second=products,
    )


def _best(work: Callable[[], object]) -> float:
    """Milliseconds."""
    times: list[float] = []
    for _ in range(_RUNS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return min(times)
