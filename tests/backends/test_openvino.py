# SPDX-License-Identifier: Apache-2.0
"""What is OpenVINO's own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_bundle as maker
from small_graphs import turning

pytest.importorskip("openvino", reason="backend openvino is not installed")

from rvl_edge.backends.openvino import OpenVinoSession
from rvl_edge.errors import BackendError

SHAPE = (3, 32, 32)
GRAPH = maker.encoder_graph(SHAPE, seed=0)


def run(*, bfloat16: bool) -> np.typing.NDArray[np.float32]:
    session = OpenVinoSession(GRAPH, name="x.onnx", dim=maker.DIM, threads=1, bfloat16=bfloat16)
    if bfloat16 and "bfloat16" not in session.description.partition(" because")[0]:
        pytest.skip("this CPU has no bfloat16")
    return session.run(np.random.default_rng(3).normal(size=(16, *SHAPE)).astype(np.float32))


def test_bfloat16_rounds_and_float32_does_not() -> None:
    exact, rounded = run(bfloat16=False), run(bfloat16=True)
    assert 1e-5 < np.abs(exact - rounded).max() < 2e-2
    assert np.einsum("nd,nd->n", exact, rounded).min() > 0.999


def test_a_bfloat16_graph_runs() -> None:
    row = np.array([[0.125, 0.5, 0.5, 0.6875]], np.float32)  # exact in bfloat16
    row /= np.linalg.norm(row)
    found = OpenVinoSession(turning(onnx.TensorProto.BFLOAT16), name="x.onnx", dim=4).run(row)
    np.testing.assert_allclose(found, row[:, ::-1], atol=5e-3)


def test_the_file_it_loads_from_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    session = OpenVinoSession(GRAPH, name="graphs/x.onnx", dim=maker.DIM)
    assert list(tmp_path.iterdir()) == []
    session.warm_up()
    with pytest.raises(BackendError):
        OpenVinoSession(b"no protobuf", name="graphs/x.onnx", dim=maker.DIM)
    assert list(tmp_path.iterdir()) == []


def test_nowhere_to_put_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(BackendError, match="TMPDIR"):
        OpenVinoSession(GRAPH, name="x.onnx", dim=maker.DIM)
