# SPDX-License-Identifier: Apache-2.0
"""Explicit Q/DQ by NVIDIA's Model Optimizer: int8, and float8 (E4M3) for GPUs from compute capability 8.9.

It calibrates on the CPU and keeps all activations while it does: a few dozen samples of a large encoder.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from rvl_edge.bundle.manifest import QuantisedPrecision
from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.errors import MissingDependency
from rvl_edge.offline.quantising.graphs import Product, float_graph, serialised
from rvl_edge.offline.quantising.ranges import Method
from rvl_edge.types import FloatArray

_THEIR_MODES: dict[QuantisedPrecision, str] = {"int8": "int8", "float8": "fp8"}
_THEIR_METHODS: dict[Method, str] = {"minmax": "max", "entropy": "entropy"}


class ModelOptTool:
    """As `OnnxRuntimeTool`, with the same products in the same form: scales a column, 8-bit weights stored.

    Args:
        files, products, inputs: see there.
        precision: of the products.

    Raises:
        MissingDependency: nvidia-modelopt is not installed.
    """

    methods: tuple[Method, ...] = tuple(_THEIR_METHODS)

    def __init__(
        self,
        files: GraphFiles,
        products: Sequence[Product],
        inputs: FloatArray,
        precision: QuantisedPrecision,
    ) -> None:
        try:
            from modelopt.onnx.quantization import quantize
        except ImportError as error:
            raise MissingDependency(
                "tool: modelopt is not installed", got=error, fix="pip install 'rvl-edge-sdk[modelopt]'"
            ) from error
        self._quantize = quantize
        self._files = files
        self._nodes = [f"^{re.escape(each.node)}$" for each in products]
        self._inputs = inputs
        self._mode = _THEIR_MODES[precision]

    def __call__(self, method: Method) -> bytes:
        """The quantised graph, with ranges by one of `methods`."""
        model, large = float_graph(self._files), self._files.weights is not None
        with TemporaryDirectory(prefix="rvl-edge-") as folder:
            source, result = Path(folder) / "float.onnx", Path(folder) / "quantised.onnx"
            onnx.save(model, source, save_as_external_data=large)  # empties the model of its weights
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # histograms, progress
                self._quantize(
                    str(source),
                    quantize_mode=self._mode,
                    calibration_data={model.graph.input[0].name: self._inputs},
                    calibration_method=_THEIR_METHODS[method],
                    calibration_eps=["cpu"],
                    op_types_to_quantize=["MatMul", "Gemm"],
                    nodes_to_quantize=self._nodes,
                    high_precision_dtype="fp32",
                    dq_only=True,
                    output_path=str(result),
                    use_external_data_format=large,
                    log_level=logging.getLevelName(logging.ERROR),
                )
            return serialised(onnx.load(result))
