# SPDX-License-Identifier: Apache-2.0
"""What every backend promises: against NumPy, and against graphs that are wrong in one way each."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_bundle as maker
from cpu_backends import CPU_BACKENDS
from small_graphs import scaling, turning, with_external_data

from rvl_edge.backends import Session, open_session
from rvl_edge.errors import BackendError, BadDtype, BadOutput, BadShape

SHAPE = (3, 32, 32)
ROUNDING = {"onnxruntime": 1e-6, "openvino": 1e-6, "openvino-bf16": 1e-2}
Opener = Callable[..., Session]


@pytest.fixture(params=CPU_BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    if request.param.startswith("openvino"):
        pytest.importorskip("openvino", reason="backend openvino is not installed")
    return str(request.param)


@pytest.fixture
def session(backend: str) -> Opener:
    def open_(graph: bytes | None = None, *, dim: int = maker.DIM, weights: bytes | None = None) -> Session:
        graph = graph or maker.encoder_graph(SHAPE, seed=0)
        return open_session(graph, name="x.onnx", dim=dim, weights=weights, threads=1, backend=backend)

    return open_


def pictures(count: int, seed: int = 1) -> np.typing.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float32)


def test_equals_the_formula_at_any_batch(session: Opener, backend: str) -> None:
    batch = pictures(5)
    model = onnx.load_from_string(maker.encoder_graph(SHAPE, seed=0))
    weight = next(
        onnx.numpy_helper.to_array(each) for each in model.graph.initializer if each.name == "weight"
    )
    patches = batch.reshape(5, 3, 4, 8, 4, 8)
    features = np.tanh(np.einsum("bcyhxw,dchw->bdyx", patches, weight)).mean(axis=(2, 3))
    wanted = features / np.linalg.norm(features, axis=1, keepdims=True)
    encoder = session()
    for size in (5, 1, 3):
        np.testing.assert_allclose(encoder.run(batch[:size]), wanted[:size], atol=ROUNDING[backend])


def test_text_ids(session: Opener, backend: str) -> None:
    table = onnx.load_from_string(maker.text_graph(100, seed=9)).graph.initializer
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in table}
    ids = np.random.default_rng(0).integers(0, 100, (3, maker.CONTEXT))
    features = (constants["table"][ids] * constants["positions"]).mean(axis=1)
    wanted = features / np.linalg.norm(features, axis=1, keepdims=True)
    found = session(maker.text_graph(100, seed=9)).run(ids)
    np.testing.assert_allclose(found, wanted, atol=ROUNDING[backend])


def test_result_belongs_to_the_caller(session: Opener) -> None:
    encoder = session()
    batch = pictures(2)
    first = encoder.run(batch)
    kept = first.copy()
    encoder.run(batch[::-1].copy())
    np.testing.assert_array_equal(first, kept)
    assert first.dtype == np.float32
    assert first.flags.writeable


def test_views_and_read_only_batches(session: Opener) -> None:
    encoder = session()
    wide = np.random.default_rng(1).normal(size=(2, *SHAPE[:2], 64)).astype(np.float32)
    view = wide[..., ::2]
    packed = np.ascontiguousarray(view)
    wide.flags.writeable = packed.flags.writeable = False
    before = packed.copy()
    np.testing.assert_array_equal(encoder.run(view), encoder.run(packed))
    np.testing.assert_array_equal(packed, before)


@pytest.mark.parametrize(
    "shape", [(3, 32, 32), (1, 3, 32, 31), (1, 1, 32, 32), (0, 3, 32, 32), (1, 1, 3, 32, 32)]
)
def test_wrong_shape_is_the_samples_fault(session: Opener, shape: tuple[int, ...]) -> None:
    with pytest.raises(BadShape, match=r"\(B, 3, 32, 32\)"):
        session().run(np.zeros(shape, np.float32))


def test_wrong_dtype(session: Opener) -> None:
    with pytest.raises(BadDtype, match="float64"):
        session().run(np.zeros((1, *SHAPE)))


def test_rows_are_of_unit_norm_after_a_half_precision_graph(session: Opener) -> None:
    row = np.full((1, 4), 0.5, np.float32)
    norm = np.linalg.norm(session(scaling(1.003), dim=4).run(row).astype(np.float64))
    assert abs(norm - 1) < 1e-7


@pytest.mark.parametrize("factor", [0.0, np.nan, np.inf, 0.5, 2.0])
def test_output_that_is_no_embedding(session: Opener, factor: float) -> None:
    with pytest.raises(BadOutput, match="norm"):
        session(scaling(factor), dim=4).run(np.full((1, 4), 0.5, np.float32))


def test_one_bad_row_spoils_the_batch(session: Opener) -> None:
    batch = np.full((3, 4), 0.5, np.float32)
    batch[1] = 0
    with pytest.raises(BadOutput, match=r"norm 0\.0"):
        session(scaling(1.0), dim=4).run(batch)


def test_a_bad_sample_does_not_spoil_the_next(session: Opener) -> None:
    encoder = session()
    wanted = encoder.run(pictures(1))
    with pytest.raises(BadOutput):
        encoder.run(np.full((2, *SHAPE), np.nan, np.float32))
    np.testing.assert_array_equal(encoder.run(pictures(1)), wanted)


def test_embedding_of_another_size_than_the_manifest_says(session: Opener) -> None:
    with pytest.raises(BadOutput, match=r"\(1, 32\).*\(1, 16\)"):
        session(dim=16).run(np.zeros((1, *SHAPE), np.float32) + 0.1)


@pytest.mark.parametrize(
    "graph",
    [
        b"no protobuf",
        scaling(1, outputs=2),
        scaling(1, operator="Frobnicate"),
        scaling(1, dtype=onnx.TensorProto.DOUBLE),
        b"\x1c\0\0\0ORTM" + bytes(64),
    ],
    ids=["no protobuf", "two outputs", "unknown operator", "double", "another format"],
)
def test_graph_that_is_no_encoder(session: Opener, graph: bytes) -> None:
    with pytest.raises(BackendError, match=r"x\.onnx") as caught:
        session(graph, dim=4)
    assert "\n" not in str(caught.value)


def test_weights_beside_the_graph_come_from_memory(
    session: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = maker.encoder_graph(SHAPE, seed=0)
    graph, weights = with_external_data(whole, tmp_path)
    (tmp_path / "x.onnx.data").write_bytes(bytes(len(weights)))  # what lies there is not what was verified
    monkeypatch.chdir(tmp_path)
    found = session(graph, weights=weights).run(pictures(2))
    np.testing.assert_array_equal(found, session(whole).run(pictures(2)))


def test_external_data_is_out_of_reach_without_the_bytes(
    session: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Second fence: the bundle refuses such graphs; from bytes the runtime must not find them either."""
    graph, weights = with_external_data(maker.encoder_graph(SHAPE, seed=0), tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BackendError):
        session(graph)
    with pytest.raises(BackendError):
        session(graph, weights=weights[:-1])


def test_bytes_are_not_kept(session: Opener, tmp_path: Path) -> None:
    graph, weights = with_external_data(maker.encoder_graph(SHAPE, seed=0), tmp_path)
    before = sys.getrefcount(graph), sys.getrefcount(weights)
    encoder = session(graph, weights=weights)
    encoder.warm_up()
    assert (sys.getrefcount(graph), sys.getrefcount(weights)) == before


def test_closed_session_says_so(session: Opener) -> None:
    encoder = session()
    encoder.warm_up()
    encoder.close()
    encoder.close()
    with pytest.raises(BackendError, match="closed"):
        encoder.run(np.zeros((1, *SHAPE), np.float32))


def test_half_precision_graph(session: Opener) -> None:
    row = np.array([[0.1, 0.5, 0.5, np.sqrt(0.49)]], np.float32)
    found = session(turning(onnx.TensorProto.FLOAT16), dim=4).run(row)
    np.testing.assert_allclose(found, row[:, ::-1], atol=5e-3)


def test_description_names_the_runtime(session: Opener, backend: str) -> None:
    assert session().description.lower().replace(" ", "").startswith(backend.partition("-")[0])


def test_runs_from_many_threads_do_not_mix(session: Opener) -> None:
    encoder = session()
    batches = pictures(8, seed=2)[:, None]
    wanted = [encoder.run(batch) for batch in batches]
    wrong: list[int] = []

    def work(at: int) -> None:
        for _ in range(50):
            if not np.array_equal(encoder.run(batches[at]), wanted[at]):
                wrong.append(at)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_closing_during_runs_lets_each_finish_or_says_so(session: Opener) -> None:
    encoder = session()
    batch = pictures(1)
    wanted = encoder.run(batch)
    running = threading.Barrier(3)
    ends: list[str] = []

    def work() -> None:
        running.wait()
        try:
            while True:
                np.testing.assert_array_equal(encoder.run(batch), wanted)
        except BackendError as error:
            ends.append(error.what)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    running.wait()
    encoder.close()
    for thread in threads:
        thread.join()
    assert ends == ["x.onnx was closed"] * 2
