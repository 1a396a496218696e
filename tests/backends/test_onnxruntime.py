# SPDX-License-Identifier: Apache-2.0
"""What is ONNX Runtime's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail
from small_graphs import scaling, turning

from rvl_edge.backends.onnxruntime import OnnxRuntimeSession
from rvl_edge.errors import BackendError, GpuLost, GpuOutOfMemory

CUDA = "CUDAExecutionProvider"


def test_opset_of_the_future_says_what_to_upgrade() -> None:
    with pytest.raises(BackendError, match="upgrade onnxruntime"):
        OnnxRuntimeSession(scaling(1.0, opset=999), name="x.onnx", dim=4)


def test_a_bfloat16_graph_is_sent_to_the_backend_that_can_run_it() -> None:
    with pytest.raises(BackendError, match="backend openvino"):
        OnnxRuntimeSession(turning(onnx.TensorProto.BFLOAT16), name="x.onnx", dim=4)


class OnFailingGpu(ort.InferenceSession):  # type: ignore[misc]  # it is untyped
    """ONNX Runtime as it is on a GPU, whose every run fails with `said`."""

    said = ""

    def __init__(self, graph: bytes, options: Any, providers: list[str]) -> None:
        del providers
        super().__init__(graph, options, providers=["CPUExecutionProvider"])

    def get_providers(self) -> list[str]:
        return [CUDA, "CPUExecutionProvider"]

    def run(self, *arguments: Any) -> Any:
        raise Fail(f"[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned. {self.said}")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("CUDA error 700: an illegal memory access was encountered ; GPU=0", GpuLost),
        ("CUDA error cudaErrorLaunchFailure:unspecified launch failure", GpuLost),
        ("\nCUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=robot", GpuLost),
        ("CUDA failure 2: out of memory ; GPU=0", GpuOutOfMemory),
        (
            "BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 9",
            GpuOutOfMemory,
        ),
        ("CUDA failure 1: invalid argument ; GPU=0", BackendError),
        ("CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED", BackendError),
    ],
)
def test_what_a_gpu_fails_of(said: str, error: type[BackendError], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA])
    monkeypatch.setattr(ort, "InferenceSession", OnFailingGpu)
    monkeypatch.setattr(OnFailingGpu, "said", said)
    session = OnnxRuntimeSession(scaling(1.0), name="x.onnx", dim=4, provider=CUDA)
    with pytest.raises(BackendError, match=r"failed while running x\.onnx") as caught:
        session.run(np.ones((1, 4), np.float32))
    assert type(caught.value) is error
