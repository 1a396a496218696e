# SPDX-License-Identifier: Apache-2.0
"""An ONNX model -> its file, one weight at a time: memory stays that of the checkpoint.

Serialising a model as a whole takes twice its size on top. Here the graph without its weights is serialised,
and the weights follow as what they are in protobuf: further `initializer` fields of the same message.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import onnx
import onnx_ir as ir
from onnx import TensorProto, helper

from rvl_edge.bundle.manifest import weights_path

LARGEST_FILE = (1 << 31) - (1 << 20)  # bytes of weights; protobuf refuses messages of 2 GiB
_SMALLEST = 1024  # elements; smaller constants stay with the nodes, whose shapes depend on them

_GRAPH = 7  # of ModelProto
_INITIALIZER = 5  # of GraphProto
_RAW_DATA = 9  # of TensorProto
_BYTES = 2  # wire type


def write_model(model: ir.Model, path: Path) -> bool:
    """Check a model and write it, its weights inside or, where they are too large, in one file beside it.

    Args:
        model: the model; its large initializers are taken out of it.
        path: the graph's file; external data goes to `weights_path(path)`.

    Returns:
        Whether there is external data.

    Raises:
        onnx.checker.ValidationError, onnx.shape_inference.InferenceError: the model is not sound.
    """
    for node in model.graph:
        for value in node.outputs:  # intermediate types: inferred again by whoever needs them
            if not value.is_graph_output():
                value.type = value.shape = None
    weights = [value for value in model.graph.initializers.values() if _tensor(value).size >= _SMALLEST]
    outside = sum(_tensor(value).nbytes for value in weights) > LARGEST_FILE
    if outside:
        ir.save(model, path, external_data=weights_path(path.name), size_threshold_bytes=4 * _SMALLEST)
        onnx.checker.check_model(path, full_check=True)
        return True
    for value in weights:
        model.graph.initializers.pop(_name(value))
    skeleton = ir.to_proto(model)
    del skeleton.graph.value_info[:]
    _check(skeleton, weights)
    with path.open("wb") as file:
        _write(skeleton, weights, file)
    return False


def _check(skeleton: onnx.ModelProto, weights: list[ir.Value]) -> None:
    """Check structure, types and shapes, with each weight as an input of its type and shape."""
    typed = onnx.ModelProto()
    typed.CopyFrom(skeleton)
    typed.graph.input.extend(
        helper.make_tensor_value_info(_name(value), _tensor(value).dtype.value, _tensor(value).shape.numpy())
        for value in weights
    )
    onnx.checker.check_model(typed, full_check=True)


def _write(skeleton: onnx.ModelProto, weights: list[ir.Value], file: BinaryIO) -> None:
    graph = skeleton.graph.SerializeToString(deterministic=True)
    skeleton.ClearField("graph")
    heads = [_head(value) for value in weights]
    sizes = [len(head) + _tensor(value).nbytes for head, value in zip(heads, weights, strict=True)]
    tags = [_tag(_INITIALIZER, size) for size in sizes]
    file.write(skeleton.SerializeToString(deterministic=True))
    file.write(_tag(_GRAPH, len(graph) + sum(map(len, tags)) + sum(sizes)))
    file.write(graph)
    for tag, head, value in zip(tags, heads, weights, strict=True):
        file.write(tag)
        file.write(head)
        file.write(_tensor(value).tobytes())


def _head(value: ir.Value) -> bytes:
    """A TensorProto up to its values."""
    tensor = _tensor(value)
    head = TensorProto(name=value.name, dims=tensor.shape.numpy(), data_type=tensor.dtype.value)
    return bytes(head.SerializeToString(deterministic=True)) + _tag(_RAW_DATA, tensor.nbytes)


def _tag(field: int, size: int) -> bytes:
    return bytes([field << 3 | _BYTES]) + _varint(size)


def _varint(number: int) -> bytes:
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def _name(value: ir.Value) -> str:
    assert value.name is not None
    return value.name


def _tensor(value: ir.Value) -> ir.TensorProtocol:
    assert value.const_value is not None
    return value.const_value
