# SPDX-License-Identifier: Apache-2.0
"""TensorRT's own runtime, as far as it goes without a GPU: its refusals are errors with its words."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_bundle as maker

from rvl_edge.backends.tensorrt.engine import TensorRtEngine
from rvl_edge.bundle.manifest import BatchRange
from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.errors import BackendError
from rvl_edge.offline.building.builder import Settings, build_engine
from rvl_edge.offline.building.monitor import Progress

trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")


@pytest.fixture(scope="module")
def engine() -> bytes:
    """A real engine."""
    settings = Settings((BatchRange(smallest=1, best=1, largest=2),), ("8.6",), None, optimization_level=0)
    files = GraphFiles(maker.encoder_graph((3, 32, 32), seed=0), None)
    return bytes(build_engine(trt, files, "x.onnx", settings, Progress("x", None)).content)


def test_an_engine_on_a_machine_without_its_gpu(engine: bytes) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is a GPU")
    with pytest.raises(
        BackendError, match=r"tensorrt_rtx .* cannot load x\.engine: got .*[Cc]uda.*rvl-edge build"
    ):
        TensorRtEngine(trt, engine, name="x.engine", digest="0" * 64)


@pytest.mark.parametrize("content", [b"", b"no engine at all", bytes(4096)])
def test_bytes_that_are_no_engine(content: bytes) -> None:
    with pytest.raises(BackendError, match=r"cannot load x\.engine"):
        TensorRtEngine(trt, content, name="x.engine", digest="0" * 64)
