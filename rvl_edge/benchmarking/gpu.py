# SPDX-License-Identifier: Apache-2.0
"""An engine by the protocol of `trtexec`: what the GPU takes, what the caller waits, and who is the limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rvl_edge.backends.session import IOSpec
from rvl_edge.backends.tensorrt.executor import RunTimes
from rvl_edge.benchmarking.timing import Times
from rvl_edge.types import FloatArray

RUNS, WARM_UP = 1000, 50  # fewer say little of p99


class TimedSession(Protocol):
    """A session that looks into its runs, as `TensorRtSession`."""

    @property
    def io(self) -> IOSpec:
        """See `Session`."""
        ...

    def run(self, batch: npt.NDArray[Any]) -> FloatArray:
        """See `Session`."""
        ...

    def timed(self, batch: npt.NDArray[Any]) -> RunTimes:
        """One run's times."""
        ...


@dataclass(frozen=True)
class EngineTimes:
    """Runs of one batch size, in milliseconds.

    Attributes:
        batch: samples in a run.
        end_to_end: from the caller's array to the checked embedding, with nothing else measured.
        gpu: copies and inference by the GPU's clock.
        enqueue: the CPU's time to queue them.
        samples_per_second: at the median of `end_to_end`.
        tflop_per_second: of the encoder's operations, at the median of `gpu`; None if they are not counted.
    """

    batch: int
    end_to_end: Times
    gpu: Times
    enqueue: Times
    samples_per_second: float
    tflop_per_second: float | None


def time_engine(
    session: TimedSession, batch: int, *, gflop: float | None, runs: int = RUNS, warm_up: int = WARM_UP
) -> EngineTimes:
    """Time one batch size.

    Args:
        session: an opened engine, with CUDA graphs or without.
        batch: samples in a run; must fit one profile.
        gflop: operations of one sample, in 1e9; None if unknown.
        runs: how many to measure, of each kind.
        warm_up: how many before, for clocks and caches.
    """
    sample = np.ascontiguousarray(session.io.input.sample(batch))
    for _ in range(warm_up):
        session.run(sample)
    waits = [_milliseconds(lambda: session.run(sample)) for _ in range(runs)]
    looks = [session.timed(sample) for _ in range(runs)]
    end_to_end, gpu = Times.of(waits), Times.of([each.gpu for each in looks])
    return EngineTimes(
        batch=batch,
        end_to_end=end_to_end,
        gpu=gpu,
        enqueue=Times.of([each.enqueue for each in looks]),
        samples_per_second=1e3 * batch / end_to_end.median,
        tflop_per_second=None if gflop is None else gflop * batch / gpu.median,
    )


def _milliseconds(call: Callable[[], object]) -> float:
    begin = perf_counter()
    call()
    return 1e3 * (perf_counter() - begin)
