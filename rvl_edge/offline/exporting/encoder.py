# SPDX-License-Identifier: Apache-2.0
"""One encoder -> the bytes of its graph, compared with the checkpoint on the runtime that robots use."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from rvl_edge.backends.onnxruntime import OnnxRuntimeSession
from rvl_edge.offline.exporting.graph import to_onnx
from rvl_edge.offline.exporting.parity import Parity, compare
from rvl_edge.offline.exporting.precision import store_as_float16
from rvl_edge.offline.towers import Encoder, TextEncoder


def export_encoder(
    encoder: Encoder | TextEncoder,
    inputs: npt.NDArray[Any],
    *,
    name: str,
    weights: Literal["float32", "float16"],
    opset: int,
) -> tuple[bytes, Parity]:
    """Export an encoder and encode `inputs` with both.

    Args:
        encoder: an opened checkpoint.
        inputs: (N, ...) model inputs, N at least 4.
        name: what to call it in errors.
        weights: how the graph stores them.
        opset: ONNX operator set.

    Returns:
        The ONNX file, and how close it is.
    """
    model = to_onnx(
        encoder,
        torch.from_numpy(inputs[:2]),
        input_name="input_ids" if isinstance(encoder, TextEncoder) else "pixel_values",
        opset=opset,
    )
    if weights == "float16":
        store_as_float16(model)
    graph = model.SerializeToString(deterministic=True)
    session = OnnxRuntimeSession(graph, name=name, dim=encoder.card.projection_dim)
    batches = np.split(inputs, [1, 3])  # three batch sizes: the axis is free
    return graph, compare(encoder, session, batches)
