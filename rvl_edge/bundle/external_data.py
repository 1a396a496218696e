# SPDX-License-Identifier: Apache-2.0
"""Refuses ONNX graphs whose weights lie in other files, without the onnx package.

ONNX Runtime opens the files that `TensorProto.external_data` names while it loads a graph. A hash over the
graph says nothing about those files, and their paths have been used to read outside the model's folder. So
the protobuf message is walked down to every tensor before a runtime sees it. Field numbers are those of
onnx.proto (ONNX IR version 3 to 13); they can be added to, but never renumbered.
"""

from __future__ import annotations

from collections.abc import Iterator

from rvl_edge.errors import BundleError, UnsafePath

# message -> {field number: message nested there}, for every way that leads to a tensor
_NESTED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of TensorProto
_DEFAULT = 0  # DataLocation: inside the tensor
_GRAPH = 7  # of ModelProto

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Malformed(Exception):
    pass


def refuse_external_data(graph: bytes, name: str) -> None:
    """Check that a serialised ONNX model holds all its weights itself.

    Args:
        graph: the file's bytes.
        name: what to call the file in errors.

    Raises:
        UnsafePath: a tensor anywhere in the model refers to another file.
        BundleError: the bytes are no ONNX model.
    """
    view = memoryview(graph)
    has_graph = False
    pending = [("model", 0, len(view))]
    try:
        while pending:
            message, start, end = pending.pop()
            nested = _NESTED[message]
            for number, wire, low, high in _fields(view, start, end):
                if message == "tensor" and (
                    number == _EXTERNAL_DATA or (number == _DATA_LOCATION and low != _DEFAULT)
                ):
                    raise UnsafePath(
                        f"{name} keeps weights in another file (ONNX external data)",
                        expected="one file with its weights inside",
                        fix="save it again with onnx.save(model, path, save_as_external_data=False)",
                    )
                if number in nested and wire == _BYTES:
                    has_graph |= message == "model" and number == _GRAPH
                    pending.append((nested[number], low, high))
    except _Malformed as error:
        raise BundleError(f"{name} is no ONNX model", got=error) from None
    if not has_graph:
        raise BundleError(f"{name} is no ONNX model", got="a message without a graph")


def _fields(view: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yields (field number, wire type, low, high): a payload's range, or a varint's value as low."""
    while at < end:
        tag, at = _varint(view, at, end)
        number, wire = tag >> 3, tag & 7
        if number == 0 or tag >> 32:
            raise _Malformed(f"an impossible field at byte {at}")
        if wire == _VARINT:
            value, at = _varint(view, at, end)
            yield number, wire, value, value
            continue
        if wire == _BYTES:
            size, at = _varint(view, at, end)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:  # groups: never part of ONNX
            raise _Malformed(f"wire type {wire} at byte {at}")
        if size > end - at:
            raise _Malformed(f"a field of {size} bytes where {end - at} are left")
        yield number, wire, at, at + size
        at += size


def _varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise _Malformed("it ends in the middle of a number")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Malformed(f"a number of more than ten bytes at byte {at}")
