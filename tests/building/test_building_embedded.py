# SPDX-License-Identifier: Apache-2.0
"""The embedded encoders, whole, as engines in each precision."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from rtx import needs_rtx

from rvl_edge.backends.tensorrt.flavours import import_tensorrt
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.manifest import BatchRange
from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.offline.building.builder import Settings, build_engine
from rvl_edge.offline.building.monitor import Progress
from rvl_edge.offline.exporting.precision import compute_in
from rvl_edge.offline.quantising.graphs import find_products, float_graph
from rvl_edge.offline.quantising.ranges import METHODS
from rvl_edge.offline.quantising.static import OnnxRuntimeTool
from rvl_edge.types import Modality

SETTINGS = Settings((BatchRange(smallest=1, best=1, largest=8),), ("8.6",), None, optimization_level=0)
HALF = {"float16": ir.DataType.FLOAT16, "bfloat16": ir.DataType.BFLOAT16}
NAMED = {"float32": "float", "float16": "half", "bfloat16": "bf16"}


@needs_rtx
@pytest.mark.parametrize("modality", [Modality.IMAGE, Modality.THERMAL, Modality.AUDIO, Modality.VIDEO])
@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_embedded_encoder(modality: Modality, precision: str) -> None:
    bundle = Bundle.open()
    graph = onnx.shape_inference.infer_shapes(float_graph(bundle.load(bundle.manifest.senses[modality])))
    model = ir.from_proto(graph)
    if precision in HALF:
        compute_in(model, HALF[precision])
    files = GraphFiles(ir.to_proto(model).SerializeToString(), None)
    built = build_engine(import_tensorrt("tensorrt-rtx"), files, "x.onnx", SETTINGS, Progress("x", None))
    network = json.loads(built.layers)["network"]
    kinds = {each.rpartition(" ")[2] for each in network if each.startswith("matrix_multiply ")}
    assert kinds == {NAMED[precision]}
    delicate = {each for each in network if each.startswith(("softmax ", "normalization "))}
    assert delicate == {"softmax float", "normalization float"}
    tensors = [value.const_value for value in model.graph.initializers.values()]
    weights = sum(tensor.nbytes for tensor in tensors if tensor is not None)
    assert len(built.content) > 0.8 * weights


@needs_rtx
def test_embedded_encoder_in_int8() -> None:
    bundle = Bundle.open()
    entry = bundle.manifest.senses[Modality.IMAGE]
    files, name = bundle.load(entry), entry.graph.path
    products = find_products(float_graph(files))
    inputs = np.random.default_rng(0).standard_normal((4, *entry.input_shape), dtype=np.float32)
    quantised = OnnxRuntimeTool(files, name, products, inputs)(METHODS[0])
    trt = import_tensorrt("tensorrt-rtx")
    built = build_engine(trt, GraphFiles(quantised, None), "x.onnx", SETTINGS, Progress("x", None))
    network = json.loads(built.layers)["network"]
    activations = {each.activations for each in products}
    assert network["quantize int8"] == len(activations)
    assert network["dequantize float"] == len(activations) + len(products)
