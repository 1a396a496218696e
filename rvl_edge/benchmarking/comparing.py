# SPDX-License-Identifier: Apache-2.0
"""Several ways to run one encoder, loaded together and timed in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rvl_edge._memory import resident_bytes, return_freed_memory
from rvl_edge.benchmarking import gemm
from rvl_edge.benchmarking.timing import Pace, Times, take_turns
from rvl_edge.types import FloatArray

_GEMM_PACE = Pace(rounds=6)


class Runner(Protocol):
    """An encoder, loaded; every `Session` is one."""

    @property
    def description(self) -> str:
        """Runtime, release, precision."""
        ...

    def run(self, batch: npt.NDArray[Any]) -> FloatArray:
        """(B, ...) model inputs -> (B, D) float32 of unit norm."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


@dataclass(frozen=True)
class Contender:
    """One way to run an encoder.

    Attributes:
        name: what to call it.
        load: loads the encoder.
        load_gemm: loads `gemm_graph`, or what is equal to it, the same way; None where it runs no graphs, or
            graphs of another precision.
    """

    name: str
    load: Callable[[], Runner]
    load_gemm: Callable[[], Runner] | None


@dataclass(frozen=True)
class Measured:
    """Runs of one contender at one batch size.

    Attributes:
        batch: samples in a run.
        times: of the runs.
        utilisation: operations a second at the median, over those of a large matrix product; None if they
            could not be counted, or there was no such product.
        cosine_min: the smallest cosine between its embeddings and the first contender's.
    """

    batch: int
    times: Times
    utilisation: float | None
    cosine_min: float


@dataclass(frozen=True)
class Outcome:
    """What was measured of one contender.

    Attributes:
        contender: its name.
        description: what ran, as it describes itself.
        load_seconds: until the first run was done.
        resident_mb: memory that loading and the first run took for good, in 1e6 bytes; None if unknown.
        gemm_gflop_per_second: the best that a large matrix product reached, before all other runs or after;
            None where there was no such product.
        measured: batch by batch.
    """

    contender: str
    description: str
    load_seconds: float
    resident_mb: float | None
    gemm_gflop_per_second: float | None
    measured: tuple[Measured, ...]


@dataclass(frozen=True)
class _Loaded:
    runner: Runner
    seconds: float
    resident_mb: float | None


def compare(
    contenders: Sequence[Contender],
    batches: Sequence[npt.NDArray[Any]],
    *,
    gflop: float | None,
    pace: Pace,
) -> list[Outcome]:
    """Load all contenders, then time them in turns.

    Args:
        contenders: ways to run the same encoder; the first is what the others are compared with.
        batches: model inputs, (B, ...) each; timed one after the other.
        gflop: operations of one sample, in 1e9; None if unknown.
        pace: how long to measure each batch.
    """
    with ExitStack() as stack:
        stack.callback(return_freed_memory)
        products = {
            each.name: partial(_kept(stack, each.load_gemm()).run, gemm.gemm_input())
            for each in contenders
            if each.load_gemm is not None
        }
        before = _fastest(products)
        loaded = [_load(stack, contender, batches[0][:1]) for contender in contenders]
        embeddings = [[each.runner.run(batch) for each in loaded] for batch in batches]
        times = [take_turns([partial(each.runner.run, batch) for each in loaded], pace) for batch in batches]
        after = _fastest(products)
        descriptions = [each.runner.description for each in loaded]
    outcomes = []
    for at, (contender, each) in enumerate(zip(contenders, loaded, strict=True)):
        name = contender.name
        limit = 1e3 * gemm.GFLOP / min(before[name], after[name]) if name in products else None
        measured = [
            Measured(
                batch=len(batch),
                times=own[at],
                utilisation=None
                if gflop is None or limit is None
                else 1e3 * gflop * len(batch) / own[at].median / limit,
                cosine_min=float(np.einsum("nd,nd->n", found[at], found[0], dtype=np.float64).min()),
            )
            for batch, own, found in zip(batches, times, embeddings, strict=True)
        ]
        outcomes.append(
            Outcome(contender.name, descriptions[at], each.seconds, each.resident_mb, limit, tuple(measured))
        )
    return outcomes


def _fastest(products: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    times = take_turns(list(products.values()), _GEMM_PACE)
    return {name: each.min for name, each in zip(products, times, strict=True)}


def _load(stack: ExitStack, contender: Contender, sample: npt.NDArray[Any]) -> _Loaded:
    return_freed_memory()
    before = resident_bytes()
    begin = perf_counter()
    runner = _kept(stack, contender.load())
    runner.run(sample)
    seconds = perf_counter() - begin
    return_freed_memory()
    after = resident_bytes()
    taken = None if before is None or after is None else 1e-6 * (after - before)
    return _Loaded(runner, seconds, taken)


def _kept(stack: ExitStack, runner: Runner) -> Runner:
    stack.callback(runner.close)
    return runner
