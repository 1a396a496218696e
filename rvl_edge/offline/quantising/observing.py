# SPDX-License-Identifier: Apache-2.0
"""Running a float graph to see its activations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from rvl_edge.offline.quantising.ranges import Histogram


def observe(
    model: onnx.ModelProto, tensors: Iterable[str], batches: Iterable[npt.NDArray[Any]]
) -> Mapping[str, Histogram]:
    """Histograms of some tensors of a graph over all batches.

    Args:
        model: a float32 graph; not changed.
        tensors: names of float32 tensors in it.
        batches: (B, ...) inputs; one is held at a time.
    """
    names = sorted(set(tensors))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    whole = [*model.graph.output]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    try:
        session = _session(model)
    finally:
        del model.graph.output[:]
        model.graph.output.extend(whole)
    histograms = {name: Histogram() for name in names}
    (source,) = session.get_inputs()
    for batch in batches:
        for name, values in zip(names, session.run(names, {source.name: batch}), strict=True):
            histograms[name].add(values)
    return histograms


def _session(model: onnx.ModelProto) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors; they come back as exceptions too
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
