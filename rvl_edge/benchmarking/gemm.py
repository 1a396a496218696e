# SPDX-License-Identifier: Apache-2.0
"""A large matrix product as an encoder graph: the rate that no encoder on the same runtime can beat.

The graph is written as protobuf by hand, so that a robot needs no onnx package; field numbers are those of
onnx.proto.
"""

from __future__ import annotations

import numpy as np

ROWS, WIDTH, DIM = 512, 2048, 16
GFLOP = 2e-9 * ROWS * WIDTH * (2 * WIDTH + DIM)  # of one run
_FLOAT = 1  # TensorProto.DataType


def gemm_graph() -> bytes:
    """`pixel_values` (B, WIDTH) -> twice times a square matrix, then down to (B, DIM) of unit norm."""
    random = np.random.default_rng(0)
    scale = np.float32(WIDTH**-0.5)
    square, down = (
        random.standard_normal((WIDTH, columns), dtype=np.float32) * scale for columns in (WIDTH, DIM)
    )
    nodes = [
        _node("MatMul", "pixel_values", "square", to="once"),
        _node("MatMul", "once", "square", to="twice"),
        _node("MatMul", "twice", "down", to="features"),
        _node("LpNormalization", "features", to="embedding"),
    ]
    graph = b"".join(
        [
            *(_field(1, node) for node in nodes),
            _field(2, b"gemm"),
            _field(5, _tensor("square", square)),
            _field(5, _tensor("down", down)),
            _field(11, _value("pixel_values", WIDTH)),
            _field(12, _value("embedding", DIM)),
        ]
    )
    return _number(1, 8) + _field(7, graph) + _field(8, _number(2, 18))  # IR version 8, opset 18


def gemm_input() -> np.typing.NDArray[np.float32]:
    """What one run takes, (ROWS, WIDTH) float32."""
    return np.random.default_rng(1).standard_normal((ROWS, WIDTH), dtype=np.float32)


def _node(operator: str, *inputs: str, to: str) -> bytes:
    return (
        b"".join(_field(1, each.encode()) for each in inputs)
        + _field(2, to.encode())
        + _field(4, operator.encode())
    )


def _tensor(name: str, values: np.typing.NDArray[np.float32]) -> bytes:
    dims = b"".join(_number(1, size) for size in values.shape)
    return dims + _number(2, _FLOAT) + _field(8, name.encode()) + _field(9, values.astype("<f4").tobytes())


def _value(name: str, columns: int) -> bytes:
    axes = _field(1, _field(2, b"batch")) + _field(1, _number(1, columns))
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, _FLOAT) + _field(2, axes)))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
