# SPDX-License-Identifier: Apache-2.0
"""What is not in eight bits, in half precision: TensorRT computes each operator in the type it is given."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from rvl_edge.offline.exporting.precision import compute_in

_OPSET, _IR_VERSION = 19, 9  # the first in which Q/DQ takes half-precision numbers


def others_in_float16(content: bytes) -> bytes:
    """Let a quantised graph compute in float16 wherever a half-precision graph would; see `compute_in`."""
    model = onnx.load_from_string(content)
    if model.opset_import[0].version < _OPSET:
        model = onnx.version_converter.convert_version(model, _OPSET)
    typed = ir.from_proto(onnx.shape_inference.infer_shapes(model))
    typed.graph.sort()  # quantisers put their nodes last
    compute_in(typed, ir.DataType.FLOAT16)
    typed.ir_version = max(typed.ir_version, _IR_VERSION)
    half = ir.to_proto(typed)
    del half.graph.value_info[:]
    return bytes(half.SerializeToString())
