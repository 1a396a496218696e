# SPDX-License-Identifier: Apache-2.0
"""Half the bytes for the same numbers: weights stored as float16, computed as float32."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from rvl_edge.errors import CheckpointError

_SMALLEST = 1024  # elements; below, a Cast costs as much as it saves


def store_as_float16(model: ModelProto) -> None:
    """Replace large float32 weights by float16 ones and a Cast each, in place.

    Runtimes fold the Casts when they load the graph, so speed and results are those of the float32 graph:
    weights that float16 cannot hold exactly are an error, not rounded.

    Raises:
        CheckpointError: the weights are not those of a half-precision checkpoint.
    """
    graph = model.graph
    casts: list[NodeProto] = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _SMALLEST:
            continue
        exact = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = exact.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), exact):
            raise CheckpointError(
                f"{tensor.name} does not fit float16 without loss",
                got=f"up to {np.abs(half.astype(np.float32) - exact).max():.2g} off",
                fix="round the checkpoint to float16 and evaluate that, or set weights: float32",
            )
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
