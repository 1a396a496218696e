# SPDX-License-Identifier: Apache-2.0
"""What a graph stores its weights in, and what it computes in.

Weights are converted one at a time while the graph is written, so a change of precision takes no memory.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from rvl_edge.errors import CheckpointError

_SMALLEST = 1024  # elements; below, a Cast costs as much as it saves
_PRODUCTS = ("MatMul", "Gemm", "Conv")
# Sums of squares and of exponentials lose more to rounding than all else together. The patch embedding costs
# next to nothing, and bfloat16 convolutions are missing before opset 22.
_IN_FLOAT32 = ("LayerNormalization", "Softmax", "Conv")


def store_as_float16(model: ir.Model) -> None:
    """Replace large float32 weights by float16 ones and a Cast each, in place; the graph computes in float32.

    Runtimes fold the Casts when they load the graph, so speed and results are those of the float32 graph:
    weights that float16 cannot hold exactly are an error, not rounded.

    Raises:
        CheckpointError: the weights are not those of a half-precision checkpoint.
    """
    graph = model.graph
    first = graph[0]
    for value in list(graph.initializers.values()):
        tensor = value.const_value
        if tensor is None or tensor.dtype != ir.DataType.FLOAT or tensor.size < _SMALLEST:
            continue
        _check_lossless(tensor)
        half = _converted(value, ir.DataType.FLOAT16)
        name = str(value.name)
        del graph.initializers[name]
        cast = _cast(half, ir.DataType.FLOAT, f"{name}.cast")
        cast.outputs[0].name = name
        ir.convenience.replace_all_uses_with(value, cast.outputs[0])
        graph.initializers.add(half)
        graph.insert_before(first, cast)


def compute_in(model: ir.Model, dtype: ir.DataType) -> None:
    """Let a float32 graph compute in half precision, in place, behind float32 inputs and outputs.

    Normalisations, softmax, the patch embedding and everything after the last matrix product, which is the
    unit norm, stay in float32; a Cast stands wherever a value crosses over.

    Args:
        model: a float32 graph, with the types of its values.
        dtype: FLOAT16 or BFLOAT16.
    """
    graph = model.graph
    exact = _after_last_product(graph)
    casts: dict[tuple[ir.Value, ir.DataType], ir.Value] = {}
    for node in list(graph):
        takes = [index for index, value in enumerate(node.inputs) if value is not None and _is_float(value)]
        # What makes floats of something else (Cast, ConstantOfShape) says itself of what type they are.
        wanted = ir.DataType.FLOAT if node.op_type in _IN_FLOAT32 or node in exact or not takes else dtype
        for index in takes:
            value = node.inputs[index]
            assert value is not None
            if value.dtype == wanted:
                continue
            key = value, wanted
            if key not in casts and value.is_initializer():
                casts[key] = _converted(value, wanted)
                graph.initializers.add(casts[key])
            elif key not in casts:
                cast = _cast(value, wanted, f"{value.name}.{wanted.name.lower()}")
                graph.insert_before(node, cast)
                casts[key] = cast.outputs[0]
            node.replace_input_with(index, casts[key])
        for value in node.outputs:
            if takes and _is_float(value):
                value.dtype = wanted
    for name, value in list(graph.initializers.items()):
        if not value.uses():
            del graph.initializers[name]


def _after_last_product(graph: ir.Graph) -> set[ir.Node]:
    """Nodes whose results reach no matrix product."""
    found: set[ir.Node] = set()
    for node in reversed(list(graph)):
        if node.op_type not in _PRODUCTS and all(user in found for user in node.successors()):
            found.add(node)
    return found


def _is_float(value: ir.Value) -> bool:
    return value.dtype in (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def _converted(value: ir.Value, dtype: ir.DataType) -> ir.Value:
    tensor = value.const_value
    assert tensor is not None
    name = f"{value.name}.{dtype.name.lower()}"
    shape = ir.Shape(tensor.shape.numpy())

    def convert() -> ir.TensorProtocol:
        exact = tensor.numpy()
        with np.errstate(over="ignore"):
            half = exact.astype(dtype.numpy())
        if tensor.size >= _SMALLEST and np.isfinite(exact).all() and not np.isfinite(half).all():
            raise CheckpointError(
                f"{tensor.name} is too large for {dtype.name.lower()}",
                got=f"{np.abs(exact).max():.3g}",
                fix="export in another precision",
            )
        return ir.tensor(half, name=name)

    lazy = ir.LazyTensor(convert, dtype=dtype, shape=shape, name=name)
    return ir.Value(name=name, shape=shape, type=ir.TensorType(dtype), const_value=lazy)


def _cast(value: ir.Value, dtype: ir.DataType, name: str) -> ir.Node:
    node = ir.node("Cast", [value], attributes={"to": dtype}, name=name)
    node.outputs[0].name = name
    node.outputs[0].dtype = dtype
    return node


def _check_lossless(tensor: ir.TensorProtocol) -> None:
    exact = tensor.numpy()
    with np.errstate(over="ignore"):
        half = exact.astype(np.float16)
    if not np.array_equal(half.astype(np.float32), exact):
        raise CheckpointError(
            f"{tensor.name} does not fit float16 without loss",
            got=f"up to {np.abs(half.astype(np.float32) - exact).max():.2g} off",
            fix="round the checkpoint to float16 and evaluate that, or set weights: float32",
        )
