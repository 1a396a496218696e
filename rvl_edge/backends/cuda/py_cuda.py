# SPDX-License-Identifier: Apache-2.0
"""CUDA by PyCUDA, for images that bring it and not NVIDIA's bindings. It cannot record graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from pycuda import driver

from rvl_edge.backends.cuda.interface import Device, cuda_failure, status_of
from rvl_edge.errors import BackendError


class PyCuda:
    """See `Cuda`; works on the first device, in the context that TensorRT shares.

    Raises:
        BackendError: there is no GPU, or no driver for it.
    """

    def __init__(self) -> None:
        with _translated("cuInit"):
            driver.init()
            gpu = driver.Device(0)
            self._context = gpu.retain_primary_context()  # the one that the runtime API, so TensorRT, uses
            major, minor = gpu.compute_capability()
            self._device = Device(gpu.name(), f"{major}.{minor}", gpu.total_memory())
        # PyCUDA frees what is no longer referred to; handles are kept by their address.
        self._kept: dict[int, Any] = {}

    @property
    def device(self) -> Device:
        """See `Cuda`."""
        return self._device

    def allocate(self, size: int) -> int:
        """See `Cuda`."""
        with self._entered("cuMemAlloc"):
            memory = driver.mem_alloc(size)
            self._kept[int(memory)] = memory
            return int(memory)

    def free(self, address: int) -> None:
        """See `Cuda`."""
        with self._entered("cuMemFree"):
            self._kept.pop(address).free()

    def host_array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """See `Cuda`."""
        with self._entered("cuMemHostAlloc"):
            array: npt.NDArray[Any] = driver.pagelocked_empty(shape, dtype)
            self._kept[array.ctypes.data] = array.base
            return array

    def free_host(self, array: npt.NDArray[Any]) -> None:
        """See `Cuda`."""
        with self._entered("cuMemFreeHost"):
            self._kept.pop(array.ctypes.data).free()

    def stream(self) -> int:
        """See `Cuda`."""
        with self._entered("cuStreamCreate"):
            stream = driver.Stream()
            self._kept[stream.handle] = stream
            return int(stream.handle)

    def free_stream(self, stream: int) -> None:
        """See `Cuda`."""
        with self._entered("cuStreamDestroy"):
            del self._kept[stream]

    def upload(self, address: int, array: npt.NDArray[Any], stream: int) -> None:
        """See `Cuda`."""
        with self._entered("cuMemcpyHtoDAsync"):
            driver.memcpy_htod_async(address, array, self._kept[stream])

    def download(self, array: npt.NDArray[Any], address: int, stream: int) -> None:
        """See `Cuda`."""
        with self._entered("cuMemcpyDtoHAsync"):
            driver.memcpy_dtoh_async(array, address, self._kept[stream])

    def synchronize(self, stream: int) -> None:
        """See `Cuda`."""
        with self._entered("cuStreamSynchronize"):
            self._kept[stream].synchronize()

    def capture(self, stream: int, work: Callable[[], None]) -> int | None:
        """See `Cuda`."""
        del stream, work
        return None

    def launch(self, graph: int, stream: int) -> None:
        """See `Cuda`; there are no graphs to launch."""
        raise BackendError("PyCUDA records no graphs", got=(graph, stream), fix="use cuda-python")

    def free_graph(self, graph: int) -> None:
        """See `Cuda`; there are no graphs to free."""

    def measure(self, stream: int, work: Callable[[], None]) -> float:
        """See `Cuda`."""
        with self._entered("cuEventRecord"):
            queue = self._kept[stream]
            begin, end = driver.Event(), driver.Event()
            begin.record(queue)
            work()
            end.record(queue)
            end.synchronize()
            return float(end.time_since(begin))

    @contextmanager
    def _entered(self, call: str) -> Iterator[None]:
        with _translated(call):
            self._context.push()  # PyCUDA's current context is a thread's own
            try:
                yield
            finally:
                driver.Context.pop()


@contextmanager
def _translated(call: str) -> Iterator[None]:
    try:
        yield
    except driver.Error as error:
        # Its classes do not tell: an illegal address is a LogicError, and a launch too large a LaunchError.
        raise cuda_failure(call, status_of(str(error)), str(error)) from error
