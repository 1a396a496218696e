# SPDX-License-Identifier: Apache-2.0
"""One encoder in torch, as a graph, and in a runtime.

The steps are apart so that the caller can let go of the checkpoint before a runtime loads the graph: a large
encoder is held once at any time.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt
import onnx_ir as ir
import torch

from rvl_edge.bundle.manifest import Precision
from rvl_edge.offline.batches import in_batches
from rvl_edge.offline.exporting.graph import to_onnx
from rvl_edge.offline.exporting.precision import compute_in, store_as_float16
from rvl_edge.offline.exporting.writing import write_model
from rvl_edge.offline.towers import Encoder, TextEncoder
from rvl_edge.types import FloatArray

_HALF: dict[Precision, ir.DataType] = {
    "float16": ir.DataType.FLOAT16,
    "bfloat16": ir.DataType.BFLOAT16,
}


def embed(encoder: Encoder | TextEncoder, inputs: npt.NDArray[Any]) -> FloatArray:
    """The checkpoint's own embeddings, computed by torch in float32.

    Args:
        encoder: an opened checkpoint.
        inputs: (N, ...) model inputs.

    Returns:
        (N, D) float32 of unit norm.
    """
    with torch.inference_mode():
        return in_batches(lambda batch: encoder.eval()(torch.from_numpy(batch)).numpy(), inputs)


def write_graph(
    encoder: Encoder | TextEncoder,
    example: npt.NDArray[Any],
    path: Path,
    *,
    precision: Precision,
    weights: Literal["float32", "float16"],
    opset: int,
) -> bool:
    """Export an encoder to an ONNX file.

    Args:
        encoder: an opened checkpoint.
        example: (2, ...) model inputs.
        path: the file; its folder exists.
        precision: what the graph computes in.
        weights: what a float32 graph stores them in.
        opset: ONNX operator set.

    Returns:
        Whether the weights lie in a file beside it.
    """
    model = to_onnx(
        encoder,
        torch.from_numpy(example),
        input_name="input_ids" if isinstance(encoder, TextEncoder) else "pixel_values",
        opset=opset,
    )
    if precision in _HALF:
        compute_in(model, _HALF[precision])
    elif weights == "float16":
        store_as_float16(model)
    return write_model(model, path)


def parity_backends(precision: Precision) -> tuple[str, ...]:
    """The runtimes a graph is compared on: the robot's default first, and OpenVINO where it is installed.

    ONNX Runtime has no bfloat16 on the CPU, so such a graph needs OpenVINO.
    """
    if precision == "bfloat16":
        return ("openvino-bf16",)
    return ("onnxruntime", "openvino") if find_spec("openvino") else ("onnxruntime",)
