# SPDX-License-Identifier: Apache-2.0
"""The session against NumPy, and against graphs that are wrong in one way each."""

from __future__ import annotations

import threading

import numpy as np
import onnx
import pytest
import tiny_bundle as maker
from onnx import TensorProto, helper

from rvl_edge.backends.onnxruntime import OnnxRuntimeSession
from rvl_edge.errors import BackendError, BadDtype, BadOutput, BadShape

SHAPE = (3, 32, 32)


def session(graph: bytes | None = None, *, dim: int = maker.DIM) -> OnnxRuntimeSession:
    return OnnxRuntimeSession(graph or maker.encoder_graph(SHAPE, seed=0), name="x.onnx", dim=dim, threads=1)


def scaling(factor: float, *, opset: int = 18, outputs: int = 1) -> bytes:
    """A graph that multiplies (B, 4) by a constant."""
    nodes = [helper.make_node("Mul", ["pixel_values", "factor"], [f"y{at}"]) for at in range(outputs)]
    graph = helper.make_graph(
        nodes,
        "scaling",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info(f"y{at}", TensorProto.FLOAT, ["batch", 4]) for at in range(outputs)],
        [helper.make_tensor("factor", TensorProto.FLOAT, [1], [factor])],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9
    ).SerializeToString()


def test_equals_the_formula_at_any_batch() -> None:
    batch = np.random.default_rng(1).normal(size=(5, *SHAPE)).astype(np.float32)
    model = onnx.load_from_string(maker.encoder_graph(SHAPE, seed=0))
    weight = next(
        onnx.numpy_helper.to_array(each) for each in model.graph.initializer if each.name == "weight"
    )
    patches = batch.reshape(5, 3, 4, 8, 4, 8)
    features = np.tanh(np.einsum("bcyhxw,dchw->bdyx", patches, weight)).mean(axis=(2, 3))
    wanted = features / np.linalg.norm(features, axis=1, keepdims=True)
    encoder = session()
    np.testing.assert_allclose(encoder.run(batch), wanted, atol=1e-6)
    np.testing.assert_allclose(encoder.run(batch[:1]), wanted[:1], atol=1e-6)


def test_result_belongs_to_the_caller() -> None:
    encoder = session()
    batch = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype(np.float32)
    first = encoder.run(batch)
    kept = first.copy()
    encoder.run(batch[::-1].copy())
    np.testing.assert_array_equal(first, kept)
    assert first.dtype == np.float32
    assert first.flags.writeable


def test_views_and_read_only_batches() -> None:
    encoder = session()
    wide = np.random.default_rng(1).normal(size=(2, *SHAPE[:2], 64)).astype(np.float32)
    view = wide[..., ::2]
    wide.flags.writeable = False
    np.testing.assert_array_equal(encoder.run(view), encoder.run(np.ascontiguousarray(view)))


@pytest.mark.parametrize(
    "shape", [(3, 32, 32), (1, 3, 32, 31), (1, 1, 32, 32), (0, 3, 32, 32), (1, 1, 3, 32, 32)]
)
def test_wrong_shape_is_the_samples_fault(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadShape, match=r"\(B, 3, 32, 32\)"):
        session().run(np.zeros(shape, np.float32))


def test_wrong_dtype() -> None:
    with pytest.raises(BadDtype, match="float64"):
        session().run(np.zeros((1, *SHAPE)))


def test_rows_are_of_unit_norm_after_a_half_precision_graph() -> None:
    row = np.full((1, 4), 0.5, np.float32)
    norm = np.linalg.norm(session(scaling(1.003), dim=4).run(row).astype(np.float64))
    assert abs(norm - 1) < 1e-7


@pytest.mark.parametrize("factor", [0.0, np.nan, np.inf, 0.5, 2.0])
def test_output_that_is_no_embedding(factor: float) -> None:
    with pytest.raises(BadOutput, match="norm"):
        session(scaling(factor), dim=4).run(np.full((1, 4), 0.5, np.float32))


def test_one_bad_row_spoils_the_batch() -> None:
    batch = np.full((3, 4), 0.5, np.float32)
    batch[1] = 0
    with pytest.raises(BadOutput, match=r"norm 0\.0"):
        session(scaling(1.0), dim=4).run(batch)


def test_embedding_of_another_size_than_the_manifest_says() -> None:
    with pytest.raises(BadOutput, match=r"\(1, 32\).*\(1, 16\)"):
        session(dim=16).run(np.zeros((1, *SHAPE), np.float32) + 0.1)


@pytest.mark.parametrize("graph", [b"no protobuf", scaling(1, outputs=2), b"\x1c\0\0\0ORTM" + bytes(64)])
def test_graph_that_is_no_encoder(graph: bytes) -> None:
    with pytest.raises(BackendError, match=r"x\.onnx"):
        session(graph)


def test_opset_of_the_future_says_what_to_upgrade() -> None:
    with pytest.raises(BackendError, match="upgrade onnxruntime"):
        session(scaling(1.0, opset=999), dim=4)


def test_closed_session_says_so() -> None:
    encoder = session()
    encoder.warm_up()
    encoder.close()
    encoder.close()
    with pytest.raises(BackendError, match="closed"):
        encoder.run(np.zeros((1, *SHAPE), np.float32))


def test_external_data_is_out_of_reach_even_for_a_session(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Second fence: the bundle refuses such graphs; from bytes the runtime must not find them either."""
    onnx.save(
        onnx.load_from_string(maker.encoder_graph(SHAPE, seed=0)),
        tmp_path / "x.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    with pytest.raises(BackendError):
        session((tmp_path / "x.onnx").read_bytes())


def test_runs_from_many_threads_do_not_mix() -> None:
    encoder = session()
    batches = np.random.default_rng(2).normal(size=(8, 1, *SHAPE)).astype(np.float32)
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
