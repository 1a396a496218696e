# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on the CPU: the faster runtime for large encoders on x86, in float32 or bfloat16."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov

from rvl_edge.backends.session import IOSpec, TensorSpec, check_batch, unit_rows
from rvl_edge.bundle.manifest import weights_path
from rvl_edge.errors import BackendError
from rvl_edge.types import FloatArray

_RELEASE = ov.__version__.partition("-")[0]
_DTYPES: dict[str, np.dtype[Any]] = {"f32": np.dtype(np.float32), "i64": np.dtype(np.int64)}
# how lines of its messages begin that give no reason
_HEADINGS = ("Exception from", "Check '", "FrontEnd API", "Summary:", "To facilitate")


class OpenVinoSession:
    """Runs one encoder graph.

    Args:
        graph, name, dim, weights: as `open_session`.
        threads: threads one run uses; None lets OpenVINO take one a physical core.
        bfloat16: compute in bfloat16; a CPU without it computes in float32.

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
        self._name = name
        self._dim = dim
        self._lock = threading.Lock()  # a request is good for one run at a time
        try:
            core = ov.Core()
            able = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            with _on_disk(graph, weights, name) as path:
                compiled = core.compile_model(path, "CPU", _options(threads, bfloat16 and able))
        except Exception as error:  # OpenVINO raises RuntimeError for everything
            raise _failure(f"OpenVINO {_RELEASE} cannot load {name}", error) from error
        self._io = _io(compiled, name)
        self._request: Any = compiled.create_infer_request()
        lacking = " because this CPU has no bfloat16" if bfloat16 and not able else ""
        self._description = f"OpenVINO {_RELEASE}, {'bfloat16' if bfloat16 and able else 'float32'}{lacking}"

    @property
    def io(self) -> IOSpec:
        """See `Session`."""
        return self._io

    @property
    def description(self) -> str:
        """See `Session`."""
        return self._description

    def run(self, batch: npt.NDArray[Any]) -> FloatArray:
        """See `Session`."""
        check_batch(batch, self._io.input)
        with self._lock:
            if self._request is None:
                raise BackendError(f"{self._name} was closed", fix="open the Perceiver again")
            try:
                self._request.infer([np.ascontiguousarray(batch)], share_inputs=True)
                output = self._request.get_output_tensor().data
            except Exception as error:  # as above
                raise _failure(f"OpenVINO failed while running {self._name}", error) from error
            return unit_rows(output, len(batch), self._dim, self._name)

    def warm_up(self) -> None:
        """See `Session`."""
        self.run(self._io.input.sample())

    def close(self) -> None:
        """See `Session`."""
        with self._lock:
            self._request = None


@contextmanager
def _on_disk(graph: bytes, weights: bytes | None, name: str) -> Iterator[str]:
    """Lend a graph to OpenVINO as a file that nobody else can reach.

    From a string it takes four times the weights' memory to load, from a file twice, and external data it
    reads from files only.
    """
    with TemporaryDirectory(prefix="rvl-edge-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / PurePosixPath(name).name
        path.write_bytes(graph)
        if weights is not None:
            Path(weights_path(str(path))).write_bytes(weights)
        yield str(path)


def _options(threads: int | None, bfloat16: bool) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads or 0,
        "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
        "ENABLE_CPU_PINNING": False,  # all encoders would be pinned to the same cores
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
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = next((line for line in reversed(lines) if not line.startswith(_HEADINGS)), type(error).__name__)
    if isinstance(error, OSError):
        fix = (
            "OpenVINO loads from a file: free some disk, or let TMPDIR name a folder that can hold the graph"
        )
    elif isinstance(error, MemoryError) or "alloc" in text.lower():
        fix = "free memory, use a smaller batch, or open fewer senses (modalities=...)"
    elif "onver" in text:
        fix = "pip install --upgrade openvino, or use backend onnxruntime"
    else:
        fix = "run `rvl-edge verify`; if it passes, export the bundle again"
    return BackendError(what, got=text, fix=fix)
