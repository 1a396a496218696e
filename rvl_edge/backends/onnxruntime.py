# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: on the CPU the backend that runs wherever a wheel installs, and on GPUs by its providers."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from rvl_edge._memory import return_freed_memory
from rvl_edge.backends.cuda.interface import OUT_OF_MEMORY, gpu_failure, status_of
from rvl_edge.backends.session import IOSpec, TensorSpec, check_batch, unit_rows
from rvl_edge.bundle.manifest import weights_path
from rvl_edge.errors import BackendError, MissingDependency
from rvl_edge.types import FloatArray

_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(int64)": np.dtype(np.int64),
}
_CPU = "CPUExecutionProvider"
_CUDA_STATUS = re.compile(r"CUDA (?:error|failure) (\d+)", re.IGNORECASE)
_AFTER = {"TensorrtExecutionProvider": ("CUDAExecutionProvider",)}  # what it cannot run stays on the GPU


class OnnxRuntimeSession:
    """Runs one encoder graph.

    Args:
        graph: the ONNX file's bytes, already verified; nothing is read from disk.
        name: what to call the graph in errors.
        dim: D, the embedding size the graph must return.
        weights: as `open_session`.
        threads: threads one run uses; None lets ONNX Runtime take one a physical core.
        provider: ONNX Runtime's name for what computes; the CPU takes the operators that it cannot.

    Raises:
        MissingDependency: this build of ONNX Runtime does not have the provider.
        BackendError: ONNX Runtime cannot load the graph, or it is no encoder.
        GpuOutOfMemory, GpuLost: the GPU failed, now or later in `run`.
    """

    def __init__(
        self,
        graph: bytes,
        *,
        name: str,
        dim: int,
        weights: bytes | None = None,
        threads: int | None = None,
        provider: str = _CPU,
    ) -> None:
        self._name = name
        self._dim = dim
        self._gpu = provider != _CPU
        _check_provider(provider)
        try:
            self._session: Any = load_model(graph, weights, name, _options(threads), provider)
        except Exception as error:  # ONNX Runtime's exceptions share no base of their own
            what = f"ONNX Runtime {ort.__version__} cannot load {name}"
            raise _failure(what, error, self._gpu) from error
        self._io = io_of(self._session, name)
        self._description = f"ONNX Runtime {ort.__version__}{'' if provider == _CPU else f', {provider}'}"
        used = self._session.get_providers()
        if provider not in used:  # it goes on without one whose libraries it does not find
            raise BackendError(
                f"ONNX Runtime cannot use {provider} here",
                got=", ".join(used),
                fix="check the driver with `nvidia-smi`, and that CUDA and cuDNN are those that "
                "onnxruntime-gpu was built for; or use backend onnxruntime",
            )

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
        session = self._session  # another thread may close this one meanwhile
        if session is None:
            raise BackendError(f"{self._name} was closed", fix="open the Perceiver again")
        check_batch(batch, self._io.input)
        try:
            (output,) = session.run([self._io.output.name], {self._io.input.name: batch})
        except Exception as error:  # as above
            raise _failure(f"ONNX Runtime failed while running {self._name}", error, self._gpu) from error
        return unit_rows(output, len(batch), self._dim, self._name)

    def warm_up(self) -> None:
        """See `Session`."""
        self.run(self._io.input.sample())

    def close(self) -> None:
        """See `Session`."""
        self._session = None
        return_freed_memory()


def load_model(graph: bytes, weights: bytes | None, name: str, options: Any, provider: str = _CPU) -> Any:
    """An `onnxruntime.InferenceSession` from memory alone.

    Args:
        graph, weights, name: as `open_session`.
        options: `onnxruntime.SessionOptions`; added to.
        provider: what computes, before the CPU.
    """
    # Bytes that look like ORT's own format would be parsed by another reader than the one they were checked
    # for.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # External data that was not handed over would be looked for where the process happens to run.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    if weights is not None:
        options.add_external_initializers_from_files_in_memory(
            [PurePosixPath(weights_path(name)).name], [weights], [len(weights)]
        )
    session = ort.InferenceSession(
        graph, options, providers=list(dict.fromkeys([provider, *_AFTER.get(provider, ()), _CPU]))
    )
    session._model_bytes = None  # kept to make the session again; as much memory as the weights
    return_freed_memory()  # of parsing and packing: a quarter of the weights
    return session


def _check_provider(provider: str) -> None:
    available = ort.get_available_providers()
    if provider not in available:
        raise MissingDependency(
            f"this build of ONNX Runtime has no {provider}",
            got=", ".join(available),
            fix="pip uninstall onnxruntime; pip install onnxruntime-gpu (Jetson: the wheel for its JetPack)",
        )


def _options(threads: int | None) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; they come back as exceptions too
    # Idle threads of one encoder must not burn the cores another encoder, or the robot, is using.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def io_of(session: Any, name: str) -> IOSpec:
    """Input and output of an `onnxruntime.InferenceSession`; BackendError where they are not an encoder's."""
    sides = [session.get_inputs(), session.get_outputs()]
    found = [[(tensor.name, tensor.type, tensor.shape) for tensor in side] for side in sides]
    if [len(side) for side in sides] != [1, 1] or any(side[0].type not in _DTYPES for side in sides):
        raise BackendError(
            f"{name} is no encoder", got=found, expected="one input and one output, float32 or int64"
        )
    return IOSpec(*(_tensor(side[0]) for side in sides))


def _tensor(node: Any) -> TensorSpec:
    shape = tuple(axis if isinstance(axis, int) else None for axis in node.shape)
    return TensorSpec(node.name, shape, _DTYPES[node.type])


def _failure(what: str, error: Exception, gpu: bool) -> BackendError:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if gpu and (failure := gpu_failure(what, _cuda_status(str(error)), text)):
        return failure
    if isinstance(error, AttributeError):  # no add_external_initializers_from_files_in_memory
        fix = "pip install 'onnxruntime>=1.24' for graphs with external data, or use backend openvino"
    elif "NOT_IMPLEMENTED" in text:
        fix = "use backend openvino if it is a bfloat16 graph, or export float32; else upgrade onnxruntime"
    elif "opset" in text or "IR version" in text:
        fix = "pip install --upgrade onnxruntime, or export with a lower opset"
    elif isinstance(error, MemoryError) or "alloc" in text.lower():
        fix = "free memory, use a smaller batch, or open fewer senses (modalities=...)"
    else:
        fix = "run `rvl-edge verify`; if it passes, export the bundle again"
    return BackendError(what, got=text, fix=fix)


def _cuda_status(message: str) -> int:
    """The status in what ONNX Runtime says of a GPU, or -1."""
    if found := _CUDA_STATUS.search(message):
        return int(found[1])
    return OUT_OF_MEMORY if "Failed to allocate memory" in message else status_of(message)
