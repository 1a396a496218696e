# SPDX-License-Identifier: Apache-2.0
"""Running a float graph to see its activations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from rvl_edge.backends.onnxruntime import load_model
from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.offline.quantising.ranges import Histogram


def observe(
    files: GraphFiles, name: str, tensors: Iterable[str], batches: Iterable[npt.NDArray[Any]]
) -> Mapping[str, Histogram]:
    """Histograms of some tensors of a graph over all batches.

    Args:
        files: a float32 graph.
        name: its path in the bundle.
        tensors: names of float32 tensors in it.
        batches: (B, ...) inputs; one is held at a time.
    """
    names = sorted(set(tensors))
    session = _session(files, name, names)
    histograms = {each: Histogram() for each in names}
    (source,) = session.get_inputs()
    for batch in batches:
        for each, values in zip(names, session.run(names, {source.name: batch}), strict=True):
            histograms[each].add(values)
    return histograms


def _session(files: GraphFiles, name: str, outputs: Iterable[str]) -> Any:
    model = onnx.load_from_string(files.graph)
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in outputs
    )
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors; they come back as exceptions too
    return load_model(model.SerializeToString(), files.weights, name, options)
