# SPDX-License-Identifier: Apache-2.0
"""On a real GPU: CUDA memory, streams and graphs by themselves, then engines. Skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import rvl_edge as rvl
from rvl_edge.backends.cuda import Cuda, open_cuda
from rvl_edge.backends.session import IOSpec, TensorSpec
from rvl_edge.backends.tensorrt.executor import Executor
from rvl_edge.bundle.manifest import BatchRange
from rvl_edge.errors import GpuOutOfMemory, RvlEdgeError
from rvl_edge.offline.building import build_engines
from rvl_edge.offline.building.recipe import BuildRecipe
from rvl_edge.types import Modality

WIDTH = 5
BATCHES = (BatchRange(smallest=1, best=1, largest=1), BatchRange(smallest=2, best=4, largest=8))


@pytest.fixture(scope="module")
def cuda() -> Iterator[Cuda]:
    """The GPU."""
    try:
        yield open_cuda()
    except RvlEdgeError as error:
        pytest.skip(str(error))


class Copying:
    """An engine without TensorRT: its inference is a copy within the GPU's memory. See `Engine`."""

    io = IOSpec(*(TensorSpec(name, (None, WIDTH), np.dtype(np.float32)) for name in ("x", "y")))
    profiles = BATCHES
    scratch_bytes = 256

    def context(
        self, profile: int, batch: int, *, source: int, target: int, scratch: int, stream: int
    ) -> CopyContext:
        return CopyContext(source, target, 4 * batch * WIDTH)

    def close(self) -> None: ...


class CopyContext:
    """See `Context`."""

    def __init__(self, source: int, target: int, size: int) -> None:
        self._copy = target, source, size

    def capturable(self, stream: int) -> bool:
        return True

    def enqueue(self, stream: int) -> None:
        from cuda.bindings import runtime

        kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        (status,) = runtime.cudaMemcpyAsync(*self._copy, kind, stream)
        assert not int(status)


@pytest.mark.parametrize("graphs", [False, True])
def test_buffers_streams_and_graphs(cuda: Cuda, graphs: bool) -> None:
    executor = Executor(Copying(), cuda, graphs=graphs)
    random = np.random.default_rng(0)
    for size in (1, 3, 8, 3, 1, 3, 20):
        batch = random.standard_normal((size, WIDTH), dtype=np.float32)
        np.testing.assert_array_equal(executor.run(batch), batch)
    assert executor.recording == graphs
    times = executor.timed(batch[:3])
    assert 0 < times.gpu < times.end_to_end
    executor.close()


def test_memory_that_is_not_there(cuda: Cuda) -> None:
    with pytest.raises(GpuOutOfMemory):
        cuda.allocate(1 << 50)
    address = cuda.allocate(1 << 20)
    cuda.free(address)


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt-rtx"])
def test_an_engine_of_this_gpu_sees_what_its_graph_sees(cuda: Cuda, flavour, own_bundle: Path) -> None:
    if find_spec(flavour.replace("-", "_")) is None:
        pytest.skip(f"{flavour} is not installed")
    recipe = BuildRecipe(
        flavour=flavour,
        compute_capabilities=(cuda.device.compute_capability,),
        senses=(Modality.IMAGE,),
        batches=BATCHES,
    )
    report = build_engines(recipe, own_bundle, on_device=True)
    assert report.engines[0].cosine_min > 0.999
    pictures = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), np.uint8)
    opened = {"modalities": ["image"], "backend": flavour}
    with rvl.Perceiver.open(own_bundle, **opened) as on_gpu, rvl.Perceiver.open(own_bundle) as on_cpu:
        for picture in pictures:
            found, wanted = on_gpu.image(picture).embedding, on_cpu.image(picture).embedding
            assert float(found @ wanted) > 0.999
