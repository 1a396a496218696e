# SPDX-License-Identifier: Apache-2.0
"""What the runner needs of CUDA, and what its failures are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BackendError, GpuLost, GpuOutOfMemory

# cudaError_t and CUresult agree on these (CUDA Runtime API, "Error handling"). Some of what CUDA is reached
# through gives the number, and some only the words of `cudaGetErrorString`.
OUT_OF_MEMORY: Final = 2
# After these every later call of the process fails: the context is gone.
_LOST: Final = {
    214: "uncorrectable ECC error",
    220: "uncorrectable NVLink error",
    700: "an illegal memory access was encountered",
    702: "the launch timed out",
    709: "context is destroyed",
    710: "device-side assert triggered",
    714: "hardware stack error",
    715: "an illegal instruction was encountered",
    716: "misaligned address",
    717: "operation not supported on global/shared address space",
    718: "invalid program counter",
    719: "unspecified launch failure",
    721: "tensor memory not completely freed",
    999: "unknown error",
}
_NO_DEVICE: Final = {
    34: "CUDA driver is a stub library",
    35: "CUDA driver version is insufficient",
    100: "no CUDA-capable device is detected",
}
_UNRECOGNISED: Final = -1


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
        code: a cudaError_t or CUresult other than 0, or what `status_of` made of a message.
        name: what CUDA calls it.
    """
    if code in _NO_DEVICE:
        return BackendError(
            "no GPU can be used",
            got=f"{name} ({code})",
            fix="run `nvidia-smi`; in a container pass --gpus all (Jetson: --runtime nvidia); or use "
            "backend onnxruntime",
        )
    return gpu_failure(call, code, name) or BackendError(f"{call} failed", got=f"{name} ({code})")


def gpu_failure(call: str, code: int, name: str) -> GpuOutOfMemory | GpuLost | None:
    """The error where a GPU that worked has no memory left, or is lost; None for any other status.

    Args:
        call, code, name: as `cuda_failure`.
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
    return None


def status_of(message: str) -> int:
    """The status that CUDA's own words in a message stand for, lost ones first; -1 if there are none."""
    said = message.lower()
    known = {**_LOST, **_NO_DEVICE, OUT_OF_MEMORY: "out of memory"}
    return next((code for code, words in known.items() if words.lower() in said), _UNRECOGNISED)
