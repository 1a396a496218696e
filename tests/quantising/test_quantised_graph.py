# SPDX-License-Identifier: Apache-2.0
"""What Q/DQ does to a graph, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import attention_graph as small
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from rvl_edge.backends import open_session
from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.errors import ConfigError
from rvl_edge.offline.quantising import graphs
from rvl_edge.offline.quantising.choosing import Chosen, Way, quantise_graph
from rvl_edge.offline.quantising.graphs import find_products, float_graph
from rvl_edge.offline.quantising.ranges import METHODS

WAY = Way("int8", "onnxruntime", METHODS)


def quantised(files: GraphFiles, keep: tuple[str, ...] = (), way: Way = WAY) -> Chosen:
    inputs = small.inputs(32)
    return quantise_graph(
        files, inputs, way, name="small.onnx", dim=small.DIM, keep=keep, on_step=lambda _: None
    )


def run(content: bytes, batch: np.ndarray) -> np.ndarray:
    return open_session(content, name="small", dim=small.DIM).run(batch)


def test_products_with_weights_are_found_by_title_but_for_the_last_and_the_attention() -> None:
    found = find_products(float_graph(small.files()))
    assert [(each.node, each.title, each.activations) for each in found] == [
        ("first", "layers.0.fc1", "pixel_values"),
        ("second", "layers.0.fc2", "mixed"),
    ]


def test_what_is_kept_stays_as_it_was() -> None:
    model = onnx.load_from_string(quantised(small.files(), keep=("*.fc2",)).graph)
    by_name = {node.name: node for node in model.graph.node}
    assert list(by_name["second"].input) == ["mixed", "w2"]
    assert list(by_name["scores"].input) == ["b", "c"]
    made_by = {name: node.op_type for node in model.graph.node for name in node.output}
    assert [made_by[name] for name in by_name["first"].input] == ["DequantizeLinear"] * 2


@pytest.mark.parametrize(("keep", "message"), [("*.fc9", "called so"), ("*", "left to quantise")])
def test_a_pattern_that_fits_nothing_or_everything_is_refused(keep: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        quantised(small.files(), keep=(keep,))


def test_weights_are_integers_with_a_scale_a_column() -> None:
    model = onnx.load_from_string(quantised(small.files()).graph)
    stored = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    assert "w1" not in stored
    (node,) = [
        node
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0].startswith("w1")
    ]
    numbers, scales, zeros = (stored[name] for name in node.input)
    assert numbers.dtype == np.int8
    assert not zeros.any()
    wanted = small.weights()["w1"]
    np.testing.assert_allclose(scales, np.abs(wanted).max(axis=0) / 127, rtol=1e-6)
    assert (np.abs(numbers * scales - wanted) <= 0.5001 * scales).all()


def test_half_precision_storage_makes_no_difference_beyond_its_rounding() -> None:
    batch = small.inputs(16, seed=5)
    plain, half = (quantised(small.files(each)).graph for each in (False, True))
    assert np.einsum("nd,nd->n", run(plain, batch), run(half, batch)).min() > 0.999


@pytest.mark.parametrize("half_weights", [False, True])
def test_weights_in_a_file_of_their_own_make_no_difference(tmp_path: Path, half_weights: bool) -> None:
    apart = small.files_apart(tmp_path, half_weights)
    assert apart.weights
    found, wanted = quantised(apart), quantised(small.files(half_weights))
    assert found.graph == wanted.graph
    assert found.cosines == wanted.cosines


def test_what_would_not_fit_into_one_file_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "LARGEST_FILE", 100)
    with pytest.raises(ConfigError, match=r"does not fit into one file.*keep fewer products"):
        quantised(small.files())


def test_the_chosen_method_is_the_nearest_and_near_indeed() -> None:
    chosen = quantised(small.files())
    assert chosen.cosines[chosen.method] == max(chosen.cosines.values())
    batch = small.inputs(16, seed=5)
    cosines = np.einsum("nd,nd->n", run(small.graph(), batch), run(chosen.graph, batch))
    assert cosines.min() > 0.99
    assert not np.allclose(cosines, 1, atol=1e-7)  # it did compute in eight bits


def test_the_rest_in_half_precision_keeps_borders_and_delicate_parts_in_float32() -> None:
    way = Way("int8", "onnxruntime", ("minmax",), others="float16")
    half = quantised(small.files(), way=way).graph
    model = onnx.load_from_string(half)
    onnx.checker.check_model(model, full_check=True)
    typed = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    types = {each.name: each.type.tensor_type.elem_type for each in typed.graph.value_info}
    made_by = {name: node for node in model.graph.node for name in node.output}
    (softmax,) = [node for node in model.graph.node if node.op_type == "Softmax"]
    assert types[softmax.output[0]] == onnx.TensorProto.FLOAT
    assert types[made_by["scores"].output[0]] == types["a"] == onnx.TensorProto.FLOAT16
    assert model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    batch = small.inputs(16, seed=5)
    whole = quantised(small.files()).graph
    assert np.einsum("nd,nd->n", run(half, batch), run(whole, batch)).min() > 0.995


def test_a_graph_that_computes_in_half_precision_is_refused() -> None:
    model = onnx.load_from_string(small.graph())
    for each in model.graph.node:
        if each.name == "scores":
            each.input[:] = ["b16", "c16"]
            each.output[:] = ["scores16"]
    nodes = list(model.graph.node)
    at = [node.name for node in nodes].index("scores")
    casts = [onnx.helper.make_node("Cast", [name], [f"{name}16"], to=10) for name in ("b", "c")]
    back = onnx.helper.make_node("Cast", ["scores16"], ["scores"], to=1)
    del model.graph.node[:]
    model.graph.node.extend([*nodes[:at], *casts, nodes[at], back, *nodes[at + 1 :]])
    with pytest.raises(ConfigError, match="half precision"):
        float_graph(GraphFiles(model.SerializeToString(), None))
