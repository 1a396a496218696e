# SPDX-License-Identifier: Apache-2.0
"""How many operations an encoder takes, counted from the shapes that ONNX Runtime saw while running it."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy.typing as npt
import onnxruntime as ort

from rvl_edge.backends.onnxruntime import load_model
from rvl_edge.bundle.opening import GraphFiles


def count_gflop(files: GraphFiles, batch: npt.NDArray[Any], name: str) -> float | None:
    """Operations of matrix products and convolutions in one run, in 1e9; a multiply-add counts as two.

    Args:
        files: the graph.
        batch: an input.
        name: the graph's path in its bundle.

    Returns:
        None where ONNX Runtime cannot run the graph.
    """
    options = ort.SessionOptions()
    options.enable_profiling = True
    options.log_severity_level = 3
    options.graph_optimization_level = (
        ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    )  # fused operators hide shapes
    with TemporaryDirectory(prefix="rvl-edge-") as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        try:
            session = load_model(files.graph, files.weights, name, options)
            session.run(None, {session.get_inputs()[0].name: batch})
        except Exception:  # ONNX Runtime's exceptions share no base of their own
            return None
        events = json.loads(Path(session.end_profiling()).read_bytes())
    return 1e-9 * sum(
        _flop(event["args"]) for event in events if "output_type_shape" in event.get("args", {})
    )


def _flop(run: dict[str, Any]) -> int:
    inputs, outputs = (_shapes(run[f"{side}_type_shape"]) for side in ("input", "output"))
    if run["op_name"] == "MatMul":
        return 2 * prod(outputs[0]) * inputs[0][-1]
    if run["op_name"] == "Gemm":  # (M, K) may be transposed: M K N either way
        return 2 * prod(inputs[0]) * outputs[0][-1]
    if run["op_name"] == "Conv":
        return 2 * prod(outputs[0]) * prod(inputs[1][1:])
    return 0


def _shapes(tensors: list[dict[str, list[int]]]) -> list[list[int]]:
    return [shape for tensor in tensors for shape in tensor.values()]  # {"float": [1, 3, 224, 224]}
