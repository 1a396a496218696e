# SPDX-License-Identifier: Apache-2.0
"""Keeps ONNX external data inside the one file that the manifest names, without the onnx package.

ONNX Runtime opens the files that `TensorProto.external_data` names while it loads a graph. A hash over the
graph says nothing about those files, and their paths have been used to read outside the model's folder. So
the protobuf message is walked down to every tensor before a runtime sees it. Field numbers are those of
onnx.proto (ONNX IR version 3 to 13); they can be added to, but never renumbered.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import PurePosixPath

from rvl_edge.bundle.manifest import FileRef, weights_path
from rvl_edge.errors import BundleError, UnsafePath

# message -> {field number: message nested there}, for every way that leads to a tensor. Only the outermost
# graph's initializers may lie in a file: no exporter needs more, and runtimes differ on the rest.
_NESTED: dict[str, dict[int, str]] = {
    "model": {7: "main", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "main": {1: "node", 5: "initializer", 15: "sparse"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
    "initializer": {},
}
_GRAPH = 7  # of ModelProto
_DIMS, _DATA_TYPE, _EXTERNAL_DATA, _DATA_LOCATION = 1, 2, 13, 14  # of TensorProto
_KEY, _VALUE = 1, 2  # of StringStringEntryProto
_INSIDE, _OUTSIDE = 0, 1  # DataLocation
_ELEMENT_BYTES = {
    1: 4,
    2: 1,
    3: 1,
    4: 2,
    5: 2,
    6: 4,
    7: 8,
    9: 1,
    10: 2,
    11: 8,
    12: 4,
    13: 8,
    16: 2,
}  # DataType

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Malformed(Exception):
    pass


def check_external_data(graph: bytes, name: str, weights: FileRef | None) -> None:
    """Check that a serialised ONNX model reads no file but the one of its own, and not beyond its end.

    Args:
        graph: the file's bytes.
        name: its path in the bundle.
        weights: its external data; None where it must hold all weights itself.

    Raises:
        UnsafePath: a tensor refers to another file, to bytes outside of it, or to any file from where none
            may.
        BundleError: the bytes are no ONNX model.
    """
    view = memoryview(graph)
    has_graph = False
    pending = [("model", 0, len(view))]
    try:
        while pending:
            message, start, end = pending.pop()
            if message in ("tensor", "initializer"):
                _check_tensor(view, start, end, name, weights if message == "initializer" else None)
                continue
            nested = _NESTED[message]
            for number, wire, low, high in _fields(view, start, end):
                if number in nested and wire == _BYTES:
                    has_graph |= message == "model" and number == _GRAPH
                    pending.append((nested[number], low, high))
    except _Malformed as error:
        raise BundleError(f"{name} is no ONNX model", got=error) from None
    if not has_graph:
        raise BundleError(f"{name} is no ONNX model", got="a message without a graph")


def _check_tensor(view: memoryview, start: int, end: int, name: str, weights: FileRef | None) -> None:
    entries: list[tuple[bytes, bytes]] = []
    dims: list[int] = []
    location = data_type = 0
    for number, wire, low, high in _fields(view, start, end):
        if number == _EXTERNAL_DATA:
            entries.append(_entry(view, low, high))
        elif number == _DATA_LOCATION:
            location = low
        elif number == _DATA_TYPE:
            data_type = low
        elif number == _DIMS:
            dims += [low] if wire == _VARINT else _packed(view, low, high)
    if location == _INSIDE and not entries:
        return
    if weights is None:
        raise UnsafePath(
            f"{name} keeps weights in another file (ONNX external data)",
            expected="one file with its weights inside, or the manifest's `weights` beside it",
            fix="save it again with onnx.save(model, path, save_as_external_data=False)",
        )
    fields = dict(entries)
    size = prod(dims) * _ELEMENT_BYTES.get(data_type, 0)
    own = PurePosixPath(weights_path(name)).name.encode()
    sound = (
        location == _OUTSIDE
        and len(fields) == len(entries)
        and fields.keys() == {b"location", b"offset", b"length"}
        and fields[b"location"] == own
        and _number(fields[b"length"]) == size > 0
        and 0 <= _number(fields[b"offset"]) <= weights.size - size
    )
    if not sound:
        raise UnsafePath(
            f"{name} refers to weights that are not its own (ONNX external data)",
            got=", ".join(f"{key!r}: {value!r}"[:200] for key, value in entries) or "a tensor without a file",
            expected=f"location {own.decode()}, offset and length of a tensor in its {weights.size} bytes",
            fix="export the bundle again",
        )


def _entry(view: memoryview, start: int, end: int) -> tuple[bytes, bytes]:
    found = {number: bytes(view[low:high]) for number, _, low, high in _fields(view, start, end)}
    return found.get(_KEY, b""), found.get(_VALUE, b"")


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 20 else -1


def _packed(view: memoryview, at: int, end: int) -> list[int]:
    values = []
    while at < end:
        value, at = _varint(view, at, end)
        values.append(value)
    return values


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
