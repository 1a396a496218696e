# SPDX-License-Identifier: Apache-2.0
"""An engine in TensorRT's runtime.

Only names that are in tensorrt 10.3 to 11 and in tensorrt_rtx are used; what one of them adds is asked for
with `hasattr`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from rvl_edge.backends.session import IOSpec, TensorSpec
from rvl_edge.backends.tensorrt.cache import CacheFile
from rvl_edge.backends.tensorrt.flavours import Log
from rvl_edge.bundle.manifest import BatchRange
from rvl_edge.errors import BackendError

_KERNELS = ".kernels"  # suffix of the file of kernels that tensorrt_rtx compiles on first use


class TensorRtEngine:
    """See `Engine`.

    Args:
        trt: the TensorRT package.
        content: the engine's bytes, of the manifest's hash; TensorRT runs them.
        name: the engine's path in its bundle.
        digest: their SHA-256, which names the file of kernels compiled for them.

    Raises:
        BackendError: TensorRT cannot read the engine, or it is no encoder.
    """

    def __init__(self, trt: Any, content: bytes, *, name: str, digest: str) -> None:
        self._trt = trt
        self._name = name
        self._log = Log()
        self._logger = self._log.attach(trt)  # TensorRT keeps a bare pointer to it
        self._runtime = trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(content)
        if self._engine is None:
            raise self._log.failure(
                f"{trt.__name__} {trt.__version__} cannot load {name}",
                fix="rvl-edge build BUNDLE --on-device",
            )
        self._io = self._read_io()
        self._profiles = tuple(self._profile(at) for at in range(self._engine.num_optimization_profiles))
        self._kernels = CacheFile(f"{digest}{_KERNELS}")
        self._config = self._runtime_config()

    @property
    def io(self) -> IOSpec:
        """See `Engine`."""
        return self._io

    @property
    def profiles(self) -> Sequence[BatchRange]:
        """See `Engine`."""
        return self._profiles

    @property
    def scratch_bytes(self) -> int:
        """See `Engine`."""
        return int(self._engine.device_memory_size_v2)

    def context(
        self, profile: int, batch: int, *, source: int, target: int, scratch: int, stream: int
    ) -> TensorRtContext:
        """See `Engine`."""
        how = (
            self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
            if self._config is None
            else self._config
        )
        context = self._engine.create_execution_context(how)
        if context is None:
            raise self._log.failure(f"{self._name} cannot be set up for batch {batch}")
        shape = (batch, *self._io.input.shape[1:])
        context.set_device_memory(scratch, max(self.scratch_bytes, 1))
        done = (
            context.set_optimization_profile_async(profile, stream)
            and context.set_input_shape(self._io.input.name, shape)
            and context.set_tensor_address(self._io.input.name, source)
            and context.set_tensor_address(self._io.output.name, target)
        )
        if not done:
            raise self._log.failure(f"{self._name} cannot be set up for batch {batch}")
        return TensorRtContext(context, self._log, self._name)

    def layers(self) -> str:
        """What the layers became, as TensorRT's inspector writes it (JSON)."""
        inspector = self._engine.create_engine_inspector()
        return str(inspector.get_engine_information(self._trt.LayerInformationFormat.JSON))

    def close(self) -> None:
        """See `Engine`."""
        if self._config is not None:
            with suppress(Exception):  # kernels are compiled again where they could not be kept
                cache = self._config.get_runtime_cache()
                content = bytes(cache.serialize())
                self._kernels.update(lambda _: content)
        self._config = self._engine = self._runtime = None

    def _runtime_config(self) -> Any:
        """tensorrt_rtx compiles kernels on this machine: take those of earlier runs. None for tensorrt."""
        if not hasattr(self._engine, "create_runtime_config"):
            return None
        config = self._engine.create_runtime_config()
        if not hasattr(config, "create_runtime_cache"):
            return None
        config.set_execution_context_allocation_strategy(
            self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        # Compiled before the first inference instead of beside it, so that timing and graphs are steady.
        strategies = self._trt.DynamicShapesKernelSpecializationStrategy
        config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
        cache = config.create_runtime_cache()
        kept = self._kernels.read()
        if kept is not None:
            cache.deserialize(kept)
        config.set_runtime_cache(cache)
        return config

    def _read_io(self) -> IOSpec:
        engine, modes = self._engine, self._trt.TensorIOMode
        names = [engine.get_tensor_name(at) for at in range(engine.num_io_tensors)]
        sides = [
            [name for name in names if engine.get_tensor_mode(name) == mode]
            for mode in (modes.INPUT, modes.OUTPUT)
        ]
        specs = [[self._tensor(name) for name in side] for side in sides]
        kinds = [spec.dtype for side in specs for spec in side]
        if [len(side) for side in sides] != [1, 1] or any(
            kind not in (np.float32, np.int64) for kind in kinds
        ):
            raise BackendError(
                f"{self._name} is no encoder",
                got=specs,
                expected="one input and one output, float32 or int64",
            )
        return IOSpec(specs[0][0], specs[1][0])

    def _tensor(self, name: str) -> TensorSpec:
        shape = tuple(self._engine.get_tensor_shape(name))
        dtype = np.dtype(self._trt.nptype(self._engine.get_tensor_dtype(name)))
        return TensorSpec(name, (None, *shape[1:]), dtype)

    def _profile(self, at: int) -> BatchRange:
        smallest, best, largest = self._engine.get_tensor_profile_shape(self._io.input.name, at)
        return BatchRange(smallest=smallest[0], best=best[0], largest=largest[0])


class TensorRtContext:
    """See `Context`."""

    def __init__(self, context: Any, log: Log, name: str) -> None:
        self._context = context
        self._log = log
        self._name = name

    def capturable(self, stream: int) -> bool:
        """See `Context`."""
        asked = getattr(self._context, "is_stream_capturable", None)  # tensorrt_rtx
        return asked is None or bool(asked(stream))

    def enqueue(self, stream: int) -> None:
        """See `Context`."""
        if not self._context.execute_async_v3(stream):
            raise self._log.failure(f"TensorRT failed while running {self._name}")
