# SPDX-License-Identifier: Apache-2.0
"""What the runner needs of CUDA, and what its failures are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BackendError, GpuLost, GpuOutOfMemory

# cudaError_t and CUresult agree on these (CUDA Runtime API, "Error handling").
OUT_OF_MEMORY: Final = 2
ILLEGAL_ADDRESS: Final = 700
# After these every later call of the process fails: the context is gone.
_LOST: Final = frozenset({214, 220, ILLEGAL_ADDRESS, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 999})
_NO_DEVICE: Final = frozenset({34, 35, 100})  # stub library, driver too old or absent, no GPU


@dataclass(frozen=True)
class Device:
    """A GPU.

    Attributes:
        name: as its driver calls it, such as "Orin" or "NVIDIA H100 80GB HBM3".
        compute_capability: such as "8.7".
        memory: bytes in all; on a Jetson the CPU has its share of them.
    """

    name: str
    compute_capability: str
    memory: int


class Cuda(Protocol):
    """One GPU. Addresses, streams and graphs are the driver's own handles.

    Every call may raise GpuOutOfMemory, GpuLost, or BackendError for any other failure.
    """

    @property
    def device(self) -> Device:
        """The GPU this works on."""
        ...

    def allocate(self, size: int) -> int:
        """Device memory of so many bytes; returns its address."""
        ...

    def free(self, address: int) -> None:
        """Give device memory back."""
        ...

    def host_array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """A page-locked array, which the GPU copies from and to without the CPU's help."""
        ...

    def free_host(self, array: npt.NDArray[Any]) -> None:
        """Give back what `host_array` returned; it must not be touched after."""
        ...

    def stream(self) -> int:
        """A queue of work."""
        ...

    def free_stream(self, stream: int) -> None:
        """Give a queue back."""
        ...

    def upload(self, address: int, array: npt.NDArray[Any], stream: int) -> None:
        """Queue a copy of a page-locked, contiguous array to the device."""
        ...

    def download(self, array: npt.NDArray[Any], address: int, stream: int) -> None:
        """Queue a copy from the device to a page-locked, contiguous array."""
        ...

    def synchronize(self, stream: int) -> None:
        """Wait until the queue is empty; work that failed raises here."""
        ...

    def capture(self, stream: int, work: Callable[[], None]) -> int | None:
        """Record what `work` queues instead of doing it.

        Returns:
            A graph for `launch`; None where the binding cannot record.
        """
        ...

    def launch(self, graph: int, stream: int) -> None:
        """Queue a recorded graph as one piece of work."""
        ...

    def free_graph(self, graph: int) -> None:
        """Give a graph back."""
        ...

    def measure(self, stream: int, work: Callable[[], None]) -> float:
        """Milliseconds that the GPU took for what `work` queued, after waiting for it."""
        ...


def cuda_failure(call: str, code: int, name: str) -> BackendError:
    """The error for a CUDA status.

    Args:
        call: what was called.
        code: a cudaError_t or CUresult other than 0.
        name: what CUDA calls it.
    """
    got = f"{name} ({code})"
    if code == OUT_OF_MEMORY:
        return GpuOutOfMemory(
            f"{call}: the GPU has not enough memory",
            got=got,
            fix="open fewer senses (modalities=...), build with a smaller largest batch, or stop what else "
            "uses the GPU",
        )
    if code in _LOST:
        return GpuLost(
            f"{call}: the GPU's context is lost",
            got=got,
            fix="end this process and start it again; if it comes back, look at `dmesg` for an Xid",
        )
    if code in _NO_DEVICE:
        return BackendError(
            "no GPU can be used",
            got=got,
            fix="run `nvidia-smi`; in a container pass --gpus all (Jetson: --runtime nvidia); or use "
            "backend onnxruntime",
        )
    return BackendError(f"{call} failed", got=got)
