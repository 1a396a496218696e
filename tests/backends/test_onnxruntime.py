# SPDX-License-Identifier: Apache-2.0
"""What is ONNX Runtime's own."""

from __future__ import annotations

import onnx
import pytest
from small_graphs import scaling, turning

from rvl_edge.backends.onnxruntime import OnnxRuntimeSession
from rvl_edge.errors import BackendError


def test_opset_of_the_future_says_what_to_upgrade() -> None:
    with pytest.raises(BackendError, match="upgrade onnxruntime"):
        OnnxRuntimeSession(scaling(1.0, opset=999), name="x.onnx", dim=4)


def test_a_bfloat16_graph_is_sent_to_the_backend_that_can_run_it() -> None:
    with pytest.raises(BackendError, match="backend openvino"):
        OnnxRuntimeSession(turning(onnx.TensorProto.BFLOAT16), name="x.onnx", dim=4)
