# SPDX-License-Identifier: Apache-2.0
"""What is concluded from an engine's times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rvl_edge.backends.session import IOSpec, TensorSpec
from rvl_edge.backends.tensorrt.executor import RunTimes
from rvl_edge.benchmarking.gpu import time_engine


class Scripted:
    """A session whose k-th look takes k ms of the GPU and 3 of the CPU."""

    io = IOSpec(
        TensorSpec("x", (None, 2), np.dtype(np.float32)), TensorSpec("y", (None, 2), np.dtype(np.float32))
    )

    def __init__(self) -> None:
        self.runs = self.looks = 0

    def run(self, batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        assert batch.shape == (4, 2)
        self.runs += 1
        return batch

    def timed(self, batch: np.ndarray[Any, Any]) -> RunTimes:
        self.looks += 1
        return RunTimes(end_to_end=9.0, enqueue=3.0, gpu=float(self.looks))


def test_every_run_counts_and_warm_up_does_not() -> None:
    session = Scripted()
    times = time_engine(session, 4, gflop=2.0, runs=101, warm_up=7)
    assert (session.runs, session.looks) == (108, 101)
    assert (times.gpu.runs, times.gpu.min, times.gpu.median, times.gpu.max) == (101, 1, 51, 101)
    assert times.gpu.p99 == pytest.approx(100)
    assert times.tflop_per_second == pytest.approx(2.0 * 4 / 51)
    assert times.samples_per_second == pytest.approx(4e3 / times.end_to_end.median)
