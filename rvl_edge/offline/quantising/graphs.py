# SPDX-License-Identifier: Apache-2.0
"""An encoder's graph as quantisers read it, and which of its products they are to quantise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import prod

import onnx
from onnx import TensorProto, helper, numpy_helper

from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.errors import ConfigError
from rvl_edge.offline.exporting.writing import LARGEST_FILE

_PRODUCTS = ("MatMul", "Gemm")
_SMALL = 1024  # elements; smaller constants decide about shapes
_HALVES = {TensorProto.FLOAT16, TensorProto.BFLOAT16}


@dataclass(frozen=True)
class Product:
    """A matrix product of activations with weights.

    Attributes:
        node: its name in the graph.
        title: whose bias is added to it, such as `encoder.layers.0.mlp.fc1`; the node's name where none is.
        activations: name of the tensor that the weights are applied to.
    """

    node: str
    title: str
    activations: str


def float_graph(files: GraphFiles) -> onnx.ModelProto:
    """Read a float32 graph; weights that it stores in half precision become plain float32 ones.

    Args:
        files: the graph; what lies in a file beside it is taken in, whatever the size of both.

    Raises:
        ConfigError: it computes in half precision, so what is lost could not be told from quantising.
    """
    model = onnx.load_from_string(files.graph)
    if files.weights is not None:
        _take_in(model, memoryview(files.weights))
    stored = {each.name: each for each in model.graph.initializer if each.data_type in _HALVES}
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        source = stored.get(node.input[0]) if node.op_type == "Cast" else None
        if source is None:
            model.graph.node.append(node)
            continue
        values = numpy_helper.to_array(source).astype("float32")
        source.CopyFrom(numpy_helper.from_array(values, node.output[0]))
    _add_types(model)
    halves = _HALVES & {each.type.tensor_type.elem_type for each in model.graph.value_info}
    if halves:
        names = ", ".join(sorted(TensorProto.DataType.Name(each).lower() for each in halves))
        raise ConfigError(
            "the graph computes in half precision already", got=names, fix="quantise the float32 bundle"
        )
    return model


def serialised(model: onnx.ModelProto) -> bytes:
    """The bytes of a quantised model.

    Raises:
        ConfigError: protobuf ends at 2 GB.
    """
    size = sum(len(each.raw_data) for each in model.graph.initializer)
    if size > LARGEST_FILE:
        raise ConfigError(
            "the quantised graph does not fit into one file",
            got=f"{size} bytes of weights",
            expected=f"{LARGEST_FILE} at most",
            fix="keep fewer products in float32 (keep:), or set others: float16",
        )
    return bytes(model.SerializeToString())


def _take_in(model: onnx.ModelProto, weights: memoryview) -> None:
    """Put external data into its tensors; the bundle has checked that they name no other file."""
    for tensor in model.graph.initializer:
        place = {each.key: each.value for each in tensor.external_data}
        if place:
            start = int(place["offset"])
            tensor.raw_data = bytes(weights[start : start + int(place["length"])])
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")


def _add_types(model: onnx.ModelProto) -> None:
    """Infer the types of values, on a copy whose weights are inputs: no message goes beyond 2 GB."""
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = model.graph
    bare.graph.name = graph.name
    bare.graph.node.extend(graph.node)
    bare.graph.output.extend(graph.output)
    bare.graph.input.extend(graph.input)
    for each in graph.initializer:
        if prod(each.dims) < _SMALL:
            bare.graph.initializer.append(each)
        else:
            bare.graph.input.append(helper.make_tensor_value_info(each.name, each.data_type, each.dims))
    inferred = onnx.shape_inference.infer_shapes(bare)
    del graph.value_info[:]
    graph.value_info.extend(inferred.graph.value_info)


def find_products(model: onnx.ModelProto, keep: Sequence[str] = ()) -> tuple[Product, ...]:
    """The products to quantise: all with weights, but for the last one and those that are kept.

    Products of two activations, which are the attention's scores and its mixing of values, and the patch
    embedding stay in float32: they cost little and their errors reach everything after them. So does the last
    product, whose result is the embedding.

    Args:
        model: as `float_graph` returns it.
        keep: patterns of titles, such as `*.layers.0.*` or `*.fc2`, that stay in float32.

    Raises:
        ConfigError: a pattern that no product has, or nothing is left.
    """
    weights = {each.name for each in model.graph.initializer}
    biases = {
        name: other
        for node in model.graph.node
        if node.op_type == "Add"
        for name, other in (node.input, reversed(node.input))
        if other in weights
    }
    every = [
        Product(node.name, _title(biases.get(node.output[0]), node.name), node.input[0])
        for node in model.graph.node
        if node.op_type in _PRODUCTS and node.input[1] in weights and node.input[0] not in weights
    ][:-1]
    for pattern in keep:
        if not any(fnmatchcase(each.title, pattern) for each in every):
            raise ConfigError(
                "nothing of the graph is called so",
                got=f"keep: {pattern}",
                expected="such as " + ", ".join(each.title for each in every[:6]),
            )
    left = tuple(each for each in every if not any(fnmatchcase(each.title, pattern) for pattern in keep))
    if not left:
        raise ConfigError("no product of the graph is left to quantise", fix="keep fewer of them")
    return left


def _title(bias: str | None, node: str) -> str:
    return node if bias is None else bias.removeprefix("vision_model.").removesuffix(".bias")
