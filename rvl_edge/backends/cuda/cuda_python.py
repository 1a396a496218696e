# SPDX-License-Identifier: Apache-2.0
"""CUDA by NVIDIA's own bindings (`cuda-python`); the default."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from cuda.bindings import runtime as cudart

from rvl_edge.backends.cuda.interface import Device, cuda_failure
from rvl_edge.errors import BackendError


class CudaPython:
    """See `Cuda`; works on the first device that CUDA_VISIBLE_DEVICES shows, every thread's default.

    Raises:
        BackendError: there is no GPU, or no driver for it.
    """

    def __init__(self) -> None:
        _call(cudart.cudaSetDevice, 0)
        properties = _call(cudart.cudaGetDeviceProperties, 0)
        self._device = Device(
            properties.name.decode().rstrip("\0"),
            f"{properties.major}.{properties.minor}",
            int(properties.totalGlobalMem),
        )

    @property
    def device(self) -> Device:
        """See `Cuda`."""
        return self._device

    def allocate(self, size: int) -> int:
        """See `Cuda`."""
        return int(_call(cudart.cudaMalloc, size))

    def free(self, address: int) -> None:
        """See `Cuda`."""
        _call(cudart.cudaFree, address)

    def host_array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """See `Cuda`."""
        size = prod(shape) * dtype.itemsize
        address = int(_call(cudart.cudaHostAlloc, size, cudart.cudaHostAllocPortable))
        memory: Any = (ctypes.c_byte * size).from_address(address)
        array: npt.NDArray[Any] = np.frombuffer(memory, dtype).reshape(shape)
        return array

    def free_host(self, array: npt.NDArray[Any]) -> None:
        """See `Cuda`."""
        _call(cudart.cudaFreeHost, array.ctypes.data)

    def stream(self) -> int:
        """See `Cuda`."""
        return int(_call(cudart.cudaStreamCreateWithFlags, cudart.cudaStreamNonBlocking))

    def free_stream(self, stream: int) -> None:
        """See `Cuda`."""
        _call(cudart.cudaStreamDestroy, stream)

    def upload(self, address: int, array: npt.NDArray[Any], stream: int) -> None:
        """See `Cuda`."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        _call(cudart.cudaMemcpyAsync, address, array.ctypes.data, array.nbytes, kind, stream)

    def download(self, array: npt.NDArray[Any], address: int, stream: int) -> None:
        """See `Cuda`."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _call(cudart.cudaMemcpyAsync, array.ctypes.data, address, array.nbytes, kind, stream)

    def synchronize(self, stream: int) -> None:
        """See `Cuda`."""
        _call(cudart.cudaStreamSynchronize, stream)

    def capture(self, stream: int, work: Callable[[], None]) -> int | None:
        """See `Cuda`."""
        # Other threads may allocate meanwhile: only this thread's calls are held to the rules of capture.
        mode = cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _call(cudart.cudaStreamBeginCapture, stream, mode)
        try:
            work()
        except BaseException:
            cudart.cudaStreamEndCapture(stream)  # leaves capture mode; what went wrong is already known
            raise
        graph = _call(cudart.cudaStreamEndCapture, stream)
        try:
            return int(_call(cudart.cudaGraphInstantiate, graph, 0))
        finally:
            _call(cudart.cudaGraphDestroy, graph)

    def launch(self, graph: int, stream: int) -> None:
        """See `Cuda`."""
        _call(cudart.cudaGraphLaunch, graph, stream)

    def free_graph(self, graph: int) -> None:
        """See `Cuda`."""
        _call(cudart.cudaGraphExecDestroy, graph)

    def measure(self, stream: int, work: Callable[[], None]) -> float:
        """See `Cuda`."""
        begin, end = _call(cudart.cudaEventCreate), _call(cudart.cudaEventCreate)
        try:
            _call(cudart.cudaEventRecord, begin, stream)
            work()
            _call(cudart.cudaEventRecord, end, stream)
            _call(cudart.cudaEventSynchronize, end)
            return float(_call(cudart.cudaEventElapsedTime, begin, end))
        finally:
            _call(cudart.cudaEventDestroy, begin)
            _call(cudart.cudaEventDestroy, end)


def _call(function: Any, *arguments: Any) -> Any:
    try:
        status, *results = function(*arguments)
    except RuntimeError as error:  # the bindings find no driver library to load
        raise BackendError(
            "no GPU can be used", got=error, fix="install NVIDIA's driver, or use backend onnxruntime"
        ) from error
    if int(status):
        raise cuda_failure(function.__name__, int(status), status.name)
    return results[0] if results else None
