# SPDX-License-Identifier: Apache-2.0
"""CUDA's own words as our errors, and NVIDIA's bindings on a machine without a GPU."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from rvl_edge.backends.cuda import open_cuda
from rvl_edge.backends.cuda.interface import cuda_failure, status_of
from rvl_edge.backends.tensorrt.flavours import Log
from rvl_edge.errors import BackendError, ConfigError, GpuLost, GpuOutOfMemory, MissingDependency


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("cudaErrorMemoryAllocation", GpuOutOfMemory),
        ("cudaErrorIllegalAddress", GpuLost),
        ("cudaErrorLaunchFailure", GpuLost),
        ("cudaErrorLaunchTimeout", GpuLost),
        ("cudaErrorECCUncorrectable", GpuLost),
        ("cudaErrorInvalidValue", BackendError),
        ("cudaErrorStreamCaptureInvalidated", BackendError),
    ],
)
def test_status_codes_are_those_of_nvidias_bindings(status: str, error: type[BackendError]) -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    failure = cuda_failure("cudaSomething", int(getattr(runtime.cudaError_t, status)), status)
    assert type(failure) is error
    assert status in str(failure)


def test_a_machine_without_a_gpu_is_told_what_to_do() -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    try:
        status, count = runtime.cudaGetDeviceCount()
    except RuntimeError:  # no driver library at all
        status, count = 1, 0
    if not int(status) and count:
        pytest.skip("there is a GPU")
    with pytest.raises(BackendError, match=r"no GPU can be used.*onnxruntime"):
        open_cuda("cuda-python")


@pytest.mark.parametrize(("library", "extra"), [("cuda-python", "cuda"), ("pycuda", "pycuda")])
def test_a_binding_that_is_not_installed(library: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cuda", "cuda.bindings", "pycuda"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("cuda_python", "py_cuda"):
        monkeypatch.delitem(sys.modules, f"rvl_edge.backends.cuda.{name}", raising=False)
    with pytest.raises(MissingDependency, match=rf"pip install 'rvl-edge-sdk\[{extra}\]'"):
        open_cuda(library)


def test_the_environment_names_the_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RVL_EDGE_CUDA", "cupy")
    with pytest.raises(ConfigError, match=r"got 'cupy', expected cuda-python, pycuda.*RVL_EDGE_CUDA"):
        open_cuda()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("IExecutionContext::enqueueV3: Error Code 1: Cuda Runtime (out of memory)", GpuOutOfMemory),
        (
            "[defaultAllocator.cpp] Error Code 1: Cuda Runtime (an illegal memory access was encountered)",
            GpuLost,
        ),
        ("Error Code 4: API Usage Error (input dimensions are not fully specified)", BackendError),
    ],
)
def test_what_tensorrt_says_in_its_log_alone(said: str, error: type[BackendError]) -> None:
    log = Log()
    log.errors.append(said)
    failure = log.failure("image.engine cannot be run")
    assert type(failure) is error
    assert said in str(failure)


def test_what_tensorrt_said_of_one_failure_does_not_explain_the_next() -> None:
    log = Log()
    log.errors.append("[defaultAllocator.cpp] Error Code 1: Cuda Runtime (out of memory)")
    assert type(log.failure("image.engine cannot be set up for batch 8")) is GpuOutOfMemory
    log.errors.append("IExecutionContext::setInputShape: Error Code 3: API Usage Error (out of the profile)")
    assert type(log.failure("image.engine cannot be set up for batch 9")) is BackendError
    assert "no reason" in str(log.failure("image.engine cannot be run"))


def test_a_lost_gpu_that_has_no_memory_either_is_lost() -> None:
    log = Log()
    log.errors += ["Cuda Runtime (out of memory)", "Cuda Runtime (an illegal instruction was encountered)"]
    log.errors.append("Error Code 2: OutOfMemory (Requested size was 1024 bytes.)")
    assert type(log.failure("image.engine cannot be run")) is GpuLost


@pytest.mark.parametrize(
    "status",
    [
        "cudaErrorMemoryAllocation",
        "cudaErrorStubLibrary",
        "cudaErrorInsufficientDriver",
        "cudaErrorNoDevice",
        "cudaErrorECCUncorrectable",
        "cudaErrorNvlinkUncorrectable",
        "cudaErrorIllegalAddress",
        "cudaErrorLaunchTimeout",
        "cudaErrorContextIsDestroyed",
        "cudaErrorAssert",
        "cudaErrorHardwareStackError",
        "cudaErrorIllegalInstruction",
        "cudaErrorMisalignedAddress",
        "cudaErrorInvalidAddressSpace",
        "cudaErrorInvalidPc",
        "cudaErrorLaunchFailure",
        "cudaErrorUnknown",
    ],
)
def test_messages_are_recognised_in_nvidias_own_words(status: str) -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    code = getattr(runtime.cudaError_t, status)
    _, words = runtime.cudaGetErrorString(code)
    assert status_of(f"cuStreamSynchronize failed: {words.decode()}") == int(code)


def pycuda_stand_in() -> ModuleType:
    """The exceptions of `pycuda.driver`."""
    driver = ModuleType("pycuda.driver")
    base = type("Error", (Exception,), {})
    driver.Error = base  # type: ignore[attr-defined]  # what a module holds is not declared
    for name in ("MemoryError", "LogicError", "LaunchError", "RuntimeError"):
        setattr(driver, name, type(name, (base,), {}))
    return driver


@pytest.mark.parametrize(
    ("kind", "said", "error", "words"),
    [
        ("MemoryError", "cuMemAlloc failed: out of memory", GpuOutOfMemory, "memory"),
        ("LaunchError", "cuEventSynchronize failed: unspecified launch failure", GpuLost, "lost"),
        (
            "LaunchError",
            "cuEventSynchronize failed: the launch timed out and was terminated",
            GpuLost,
            "lost",
        ),
        ("LogicError", "cuMemcpyDtoHAsync failed: an illegal memory access was encountered", GpuLost, "lost"),
        ("LogicError", "cuMemcpyDtoHAsync failed: an illegal instruction was encountered", GpuLost, "lost"),
        ("LogicError", "cuMemcpyDtoHAsync failed: device-side assert triggered", GpuLost, "lost"),
        (
            "LaunchError",
            "cuLaunchKernel failed: too many resources requested for launch",
            BackendError,
            "failed",
        ),
        ("LogicError", "cuCtxPushCurrent failed: invalid device context", BackendError, "cuSomething failed"),
        (
            "RuntimeError",
            "cuInit failed: no CUDA-capable device is detected",
            BackendError,
            "no GPU can be used",
        ),
    ],
)
def test_what_pycuda_raises(
    kind: str, said: str, error: type[BackendError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = pycuda_stand_in()
    package = ModuleType("pycuda")
    package.driver = driver  # type: ignore[attr-defined]  # as above
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)
    monkeypatch.delitem(sys.modules, "rvl_edge.backends.cuda.py_cuda", raising=False)
    py_cuda = import_module("rvl_edge.backends.cuda.py_cuda")
    del sys.modules["rvl_edge.backends.cuda.py_cuda"]  # it knows the stand-in's classes
    with pytest.raises(BackendError, match=words) as caught, py_cuda._translated("cuSomething"):
        raise getattr(driver, kind)(said)
    assert type(caught.value) is error
    assert said in str(caught.value)


CALLS = {
    "allocate": (64,),
    "free": (4096,),
    "host_array": ((2, 3), np.dtype(np.float32)),
    "free_host": (np.zeros(4, np.float32),),
    "stream": (),
    "free_stream": (4096,),
    "upload": (4096, np.zeros(4, np.float32), 4096),
    "download": (np.zeros(4, np.float32), 4096, 4096),
    "synchronize": (4096,),
    "capture": (4096, lambda: None),
    "launch": (4096, 4096),
    "free_graph": (4096,),
    "measure": (4096, lambda: None),
}


@pytest.mark.parametrize("name", CALLS)
def test_nvidias_bindings_accept_every_call_up_to_the_missing_gpu(name: str) -> None:
    pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed")
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is a GPU, which these made-up addresses are no good for")
    from rvl_edge.backends.cuda.cuda_python import CudaPython

    unopened = CudaPython.__new__(CudaPython)
    with pytest.raises(BackendError, match="no GPU can be used"):
        getattr(unopened, name)(*CALLS[name])
