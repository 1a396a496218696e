# SPDX-License-Identifier: Apache-2.0
"""Contenders, the matrix product they are measured against, and the operations that are counted."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import tiny_bundle as maker

from rvl_edge.backends import open_session
from rvl_edge.backends.onnxruntime import OnnxRuntimeSession
from rvl_edge.benchmarking import Contender, Pace, Plan, bench_sense, compare, gemm
from rvl_edge.benchmarking.flops import count_gflop
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.errors import BackendError, ConfigError
from rvl_edge.types import Modality

ROUND = Pace(rounds=1)


def test_the_matrix_product_is_a_sound_graph_and_computes_what_it_says() -> None:
    model = onnx.load_from_string(gemm.gemm_graph())
    onnx.checker.check_model(model, full_check=True)
    weights = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    rows = gemm.gemm_input()
    wanted = rows[:8] @ weights["square"] @ weights["square"] @ weights["down"]
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    found = open_session(gemm.gemm_graph(), name="gemm.onnx", dim=gemm.DIM, threads=1).run(rows[:8])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_operations_are_those_of_the_formula(tiny_bundle) -> None:
    bundle = Bundle.open(tiny_bundle)
    entry = bundle.manifest.senses[Modality.IMAGE]
    batch = np.zeros((2, 3, 32, 32), np.float32)
    patches, weights = 16, 3 * 8 * 8
    found = count_gflop(bundle.load(entry), batch, entry.graph.path)
    assert found == pytest.approx(1e-9 * 2 * 2 * patches * weights * maker.DIM)


def test_operations_of_matrix_products_in_every_form() -> None:
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "a"], ["y"]),
        onnx.helper.make_node("Gemm", ["y", "b"], ["z"], transA=0, transB=1),
    ]
    values = {"a": np.ones((6, 5), np.float32), "b": np.ones((7, 5), np.float32)}
    graph = onnx.helper.make_graph(
        nodes,
        "products",
        [onnx.helper.make_tensor_value_info("x", 1, ["batch", 6])],
        [onnx.helper.make_tensor_value_info("z", 1, ["batch", 7])],
        [onnx.numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()
    found = count_gflop(GraphFiles(model, None), np.ones((4, 6), np.float32), "x.onnx")
    assert found == pytest.approx(1e-9 * 2 * 4 * (6 * 5 + 5 * 7))


def test_a_graph_that_cannot_be_run_has_no_count() -> None:
    assert count_gflop(GraphFiles(b"no protobuf", None), np.zeros((1, 4), np.float32), "x.onnx") is None


def test_contenders_are_compared_with_the_first_and_all_are_closed() -> None:
    opened: list[OnnxRuntimeSession] = []

    def contender(name: str, seed: int) -> Contender:
        def load() -> OnnxRuntimeSession:
            graph = maker.encoder_graph((3, 32, 32), seed=seed)
            opened.append(OnnxRuntimeSession(graph, name=name, dim=maker.DIM, threads=1))
            return opened[-1]

        def load_gemm() -> OnnxRuntimeSession:
            return OnnxRuntimeSession(gemm.gemm_graph(), name="gemm.onnx", dim=gemm.DIM, threads=1)

        return Contender(name, load, load_gemm)

    batches = [np.random.default_rng(0).normal(size=(size, 3, 32, 32)).astype(np.float32) for size in (1, 3)]
    outcomes = compare([contender("same", 0), contender("other", 1)], batches, gflop=0.5, pace=ROUND)
    assert [each.contender for each in outcomes] == ["same", "other"]
    assert [[own.batch for own in each.measured] for each in outcomes] == [[1, 3], [1, 3]]
    assert outcomes[0].measured[1].cosine_min == pytest.approx(1)
    assert outcomes[1].measured[1].cosine_min < 0.9
    own = outcomes[0].measured[1]
    rate = 0.5 * 3 / (1e-3 * own.times.median)
    assert own.utilisation == pytest.approx(rate / outcomes[0].gemm_gflop_per_second)
    for session in opened:
        with pytest.raises(BackendError, match="closed"):
            session.run(batches[0])


def test_a_contender_that_runs_no_graphs_is_timed_without_a_limit() -> None:
    def load() -> OnnxRuntimeSession:
        graph = maker.encoder_graph((3, 32, 32), seed=0)
        return OnnxRuntimeSession(graph, name="x", dim=maker.DIM, threads=1)

    def load_gemm() -> OnnxRuntimeSession:
        return OnnxRuntimeSession(gemm.gemm_graph(), name="gemm.onnx", dim=gemm.DIM, threads=1)

    contenders = [Contender("an engine", load, None), Contender("a graph", load, load_gemm)]
    batch = np.ones((1, 3, 32, 32), np.float32)
    engine, graph = compare(contenders, [batch], gflop=0.5, pace=ROUND)
    assert (engine.gemm_gflop_per_second, engine.measured[0].utilisation) == (None, None)
    assert graph.gemm_gflop_per_second is not None
    assert graph.measured[0].utilisation is not None


def test_a_graph_of_another_precision_is_not_held_against_a_float32_product(own_bundle) -> None:
    bundle = Bundle.open(own_bundle)
    sense = bundle.manifest.senses[Modality.IMAGE]
    for precision, compared in (("float32", True), ("bfloat16", False), ("int8", False)):
        senses = {Modality.IMAGE: sense.model_copy(update={"precision": precision})}
        declared = Bundle(bundle.root, bundle.manifest.model_copy(update={"senses": senses}))
        (outcome,) = bench_sense(declared, Modality.IMAGE, Plan(["onnxruntime"], [1], 1, ROUND)).outcomes
        assert (outcome.gemm_gflop_per_second is not None) is compared
        assert (outcome.measured[0].utilisation is not None) is compared


def test_a_sense_that_the_bundle_lacks(own_bundle) -> None:
    bundle = Bundle.open(own_bundle)
    senses = {each: entry for each, entry in bundle.manifest.senses.items() if each is not Modality.DEPTH}
    lacking = Bundle(bundle.root, bundle.manifest.model_copy(update={"senses": senses}))
    with pytest.raises(ConfigError, match="no such sense"):
        bench_sense(lacking, Modality.DEPTH, Plan(["onnxruntime"], [1], 1, ROUND))
