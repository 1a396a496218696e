# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on the CPU: the fastest way to run large encoders on x86, in float32 or bfloat16."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov

from rvl_edge.backends.session import IOSpec, TensorSpec, check_batch, unit_rows
from rvl_edge.errors import BackendError
from rvl_edge.types import FloatArray

_DTYPES: dict[str, np.dtype[Any]] = {"f32": np.dtype(np.float32), "i64": np.dtype(np.int64)}


class OpenVinoSession:
    """Runs one encoder graph.

    Args:
        graph, name, dim, weights: as `open_session`.
        threads: threads one run uses; None lets OpenVINO choose.
        bfloat16: compute in bfloat16 where the CPU can; else in float32.

    Raises:
        BackendError: OpenVINO cannot load the graph, or it is no encoder.
    """

    def __init__(
        self,
        graph: bytes,
        *,
        name: str,
        dim: int,
        weights: bytes | None = None,
        threads: int | None = None,
        bfloat16: bool = False,
    ) -> None:
        del weights
        self._name = name
        self._dim = dim
        self._lock = threading.Lock()  # a request holds one run at a time
        try:
            core = ov.Core()
            model = core.read_model(graph)
            compiled = core.compile_model(model, "CPU", _options(threads, bfloat16))
        except Exception as error:
            raise _failure(f"OpenVINO {ov.__version__} cannot load {name}", error) from error
        self._io = _io(compiled, name)
        self._request: Any = compiled.create_infer_request()

    @property
    def io(self) -> IOSpec:
        """See `Session`."""
        return self._io

    def run(self, batch: npt.NDArray[Any]) -> FloatArray:
        """See `Session`."""
        check_batch(batch, self._io.input)
        with self._lock:
            if self._request is None:
                raise BackendError(f"{self._name} was closed", fix="open the Perceiver again")
            try:
                self._request.infer([np.ascontiguousarray(batch)], share_inputs=True)
                output = self._request.get_output_tensor().data
            except Exception as error:
                raise _failure(f"OpenVINO failed while running {self._name}", error) from error
            return unit_rows(output, len(batch), self._dim, self._name)

    def warm_up(self) -> None:
        """See `Session`."""
        self.run(self._io.input.sample())

    def close(self) -> None:
        """See `Session`."""
        with self._lock:
            self._request = None


def _options(threads: int | None, bfloat16: bool) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads or 0,
        "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
        "ENABLE_CPU_PINNING": False,  # several encoders would share the pinned cores and leave others idle
    }


def _io(compiled: Any, name: str) -> IOSpec:
    sides = (compiled.inputs, compiled.outputs)
    found = [
        [(port.any_name, port.element_type.to_string(), str(port.partial_shape)) for port in side]
        for side in sides
    ]
    if [len(side) for side in sides] != [1, 1] or any(side[0][1] not in _DTYPES for side in found):
        raise BackendError(
            f"{name} is no encoder", got=found, expected="one input and one output, float32 or int64"
        )
    return IOSpec(*(_tensor(side[0]) for side in sides))


def _tensor(port: Any) -> TensorSpec:
    shape = tuple(None if axis.is_dynamic else axis.get_length() for axis in port.partial_shape)
    return TensorSpec(port.any_name, shape, _DTYPES[port.element_type.to_string()])


def _failure(what: str, error: Exception) -> BackendError:
    text = str(error) or type(error).__name__
    return BackendError(what, got=text, fix="run `rvl-edge verify`; if it passes, export the bundle again")
