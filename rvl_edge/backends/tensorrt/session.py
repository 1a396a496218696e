# SPDX-License-Identifier: Apache-2.0
"""A TensorRT engine as a `Session`."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.backends.session import IOSpec, check_batch, unit_rows
from rvl_edge.backends.tensorrt.executor import Executor, RunTimes
from rvl_edge.backends.tensorrt.interface import Engine
from rvl_edge.errors import BackendError
from rvl_edge.types import FloatArray


class TensorRtSession:
    """Runs one encoder.

    Args:
        engine: the engine.
        executor: runs it; closed with this.
        name: the engine's path in its bundle.
        dim: D, the embedding size it must return.
        description: see `Session`.
    """

    def __init__(self, engine: Engine, executor: Executor, *, name: str, dim: int, description: str) -> None:
        self._io = engine.io
        self._executor: Executor | None = executor
        self._name = name
        self._dim = dim
        self._description = description
        self._smallest = min(each.smallest for each in engine.profiles)
        self._lock = threading.Lock()  # buffers and stream are good for one run at a time

    @property
    def io(self) -> IOSpec:
        """See `Session`."""
        return self._io

    @property
    def description(self) -> str:
        """See `Session`."""
        return self._description

    def run(self, batch: npt.NDArray[Any]) -> FloatArray:
        """See `Session`."""
        check_batch(batch, self._io.input)
        with self._lock:
            output = self._open().run(batch)
        return unit_rows(output, len(batch), self._dim, self._name)

    def timed(self, batch: npt.NDArray[Any]) -> RunTimes:
        """One run's times; see `Executor.timed`."""
        check_batch(batch, self._io.input)
        with self._lock:
            return self._open().timed(batch)

    def warm_up(self) -> None:
        """See `Session`; the second run is recorded work, if it can be."""
        sample = self._io.input.sample(self._smallest)
        self.run(sample)
        self.run(np.ascontiguousarray(sample))

    def close(self) -> None:
        """See `Session`."""
        with self._lock:
            if self._executor is not None:
                self._executor.close()
                self._executor = None

    def _open(self) -> Executor:
        if self._executor is None:
            raise BackendError(f"{self._name} was closed", fix="open the Perceiver again")
        return self._executor
