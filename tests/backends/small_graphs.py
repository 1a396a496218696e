# SPDX-License-Identifier: Apache-2.0
"""Graphs that are wrong in one way each, or right in a way that can be computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def scaling(
    factor: float, *, opset: int = 18, outputs: int = 1, operator: str = "Mul", dtype: int = TensorProto.FLOAT
) -> bytes:
    """(B, 4) times a constant."""
    nodes = [helper.make_node(operator, ["pixel_values", "factor"], [f"y{at}"]) for at in range(outputs)]
    graph = helper.make_graph(
        nodes,
        "scaling",
        [helper.make_tensor_value_info("pixel_values", dtype, ["batch", 4])],
        [helper.make_tensor_value_info(f"y{at}", dtype, ["batch", 4]) for at in range(outputs)],
        [helper.make_tensor("factor", dtype, [1], [factor])],
    )
    return serialised(graph, opset)


def turning(dtype: int = TensorProto.FLOAT) -> bytes:
    """(B, 4) -> its axes in reverse, by a matrix product in another precision."""
    matrix = np.eye(4, dtype=np.float32)[::-1]
    if dtype == TensorProto.BFLOAT16:
        high = (matrix.view(np.uint32) if matrix.flags.c_contiguous else matrix.copy().view(np.uint32)) >> 16
        weight = helper.make_tensor("w", dtype, [4, 4], high.astype("<u2").tobytes(), raw=True)
    else:
        weight = numpy_helper.from_array(matrix.astype(helper.tensor_dtype_to_np_dtype(dtype)), "w")
    nodes = [
        helper.make_node("Cast", ["pixel_values"], ["x"], to=dtype),
        helper.make_node("MatMul", ["x", "w"], ["turned"]),
        helper.make_node("Cast", ["turned"], ["embedding"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "turning",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 4])],
        [weight],
    )
    return serialised(graph, 18)


def with_external_data(graph: bytes, folder: Path) -> tuple[bytes, bytes]:
    """The same model with its weights in `x.onnx.data`, which is left in the folder."""
    onnx.save(
        onnx.load_from_string(graph),
        folder / "x.onnx",
        save_as_external_data=True,
        location="x.onnx.data",
        size_threshold=64,
    )
    return (folder / "x.onnx").read_bytes(), (folder / "x.onnx.data").read_bytes()


def serialised(graph: onnx.GraphProto, opset: int) -> bytes:
    return bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9
        ).SerializeToString()
    )
