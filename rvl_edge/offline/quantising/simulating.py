# SPDX-License-Identifier: Apache-2.0
"""Quantised graphs on the CPU: what they will answer elsewhere, not how fast."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import onnxruntime as ort

from rvl_edge.backends import Session, TensorSpec, open_session
from rvl_edge.backends.onnxruntime import io_of, load_model
from rvl_edge.backends.session import check_batch, unit_rows
from rvl_edge.bundle.manifest import QuantisedPrecision
from rvl_edge.types import FloatArray

_NAME = "the quantised graph"


def open_quantised(graph: bytes, precision: QuantisedPrecision, dim: int) -> Session:
    """Load a quantised graph into ONNX Runtime.

    Args:
        graph: the ONNX file's bytes.
        precision: of its products.
        dim: D of its embedding.
    """
    if precision == "int8":
        return open_session(graph, name=_NAME, dim=dim)
    return _Float8Session(graph, dim)


class _Float8Session:
    """ONNX Runtime fuses Q/DQ into integer products, float8 ones too, which then do not load.

    Without that fusion it rounds to float8 and multiplies in float32, as the tensor cores do.
    """

    def __init__(self, graph: bytes, dim: int) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        self._session: Any = load_model(graph, None, _NAME, options)
        self._dim = dim
        self.io = io_of(self._session, _NAME)
        self.description = f"ONNX Runtime {ort.__version__}, float8 simulated"

    def run(self, batch: npt.NDArray[Any]) -> FloatArray:
        """See `Session`."""
        check_batch(batch, self._input)
        (output,) = self._session.run([self.io.output.name], {self._input.name: batch})
        return unit_rows(output, len(batch), self._dim, _NAME)

    def warm_up(self) -> None:
        """See `Session`."""
        self.run(self._input.sample())

    def close(self) -> None:
        """See `Session`."""
        self._session = None

    @property
    def _input(self) -> TensorSpec:
        return self.io.input
