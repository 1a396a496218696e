# SPDX-License-Identifier: Apache-2.0
"""Explicit Q/DQ by onnxruntime's quantiser: 8-bit weights a channel, 8-bit activations a tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.quant_utils import add_infer_metadata

from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.offline.quantising.graphs import Product, float_graph, serialised
from rvl_edge.offline.quantising.observing import observe
from rvl_edge.offline.quantising.ranges import METHODS, Method
from rvl_edge.types import FloatArray

_BATCH = 4  # bounds the memory of activations


class OnnxRuntimeTool:
    """Ranges are taken once; each method then makes a graph of them.

    Args:
        files: a float32 graph.
        name: its path in the bundle.
        products: which of it to quantise.
        inputs: (N, ...) calibration inputs.
    """

    methods = METHODS

    def __init__(self, files: GraphFiles, name: str, products: Sequence[Product], inputs: FloatArray) -> None:
        self._files = files
        self._products = products
        batches = np.array_split(inputs, -(-len(inputs) // _BATCH))
        self._seen = observe(files, name, [each.activations for each in products], batches)

    def __call__(self, method: Method) -> bytes:
        """The quantised graph, with ranges by one of `methods`."""
        limits = {name: each.limit(method) for name, each in self._seen.items()}
        return serialised(quantise_int8(float_graph(self._files), self._products, limits))


def quantise_int8(
    model: onnx.ModelProto, products: Sequence[Product], limits: Mapping[str, float]
) -> onnx.ModelProto:
    """Put Q/DQ in front of products, in place.

    Everything is symmetric, as TensorRT wants it: zero is 0, and weights are stored as int8 behind one
    DequantizeLinear with a scale a column. Results of products are not quantised.

    Args:
        model: a float32 graph with the types of its values.
        products: which.
        limits: for the activations of each, the magnitude that 127 stands for.

    Returns:
        The model.
    """
    add_infer_metadata(model)  # or it would be written to disk and read again, to infer what it says already
    quantiser = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8,
        tensors_range=TensorsData(
            CalibrationMethod.MinMax,
            {name: (np.float32(-limit), np.float32(limit)) for name, limit in limits.items()},
        ),
        nodes_to_quantize=[each.node for each in products],
        nodes_to_exclude=[],
        op_types_to_quantize=["MatMul", "Gemm"],
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"],
        },
    )
    quantiser.quantize_model()
    quantised: onnx.ModelProto = quantiser.model.model
    del quantised.graph.value_info[:]  # types of values that are no longer there
    del quantised.metadata_props[:]
    return quantised
