# SPDX-License-Identifier: Apache-2.0
"""Q/DQ by NVIDIA's tool, where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import attention_graph as small
import onnx
import pytest

from rvl_edge.bundle.manifest import QuantisedPrecision
from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.errors import MissingDependency
from rvl_edge.offline.quantising.choosing import Chosen, Way, quantise_graph

needs_modelopt = pytest.mark.skipif(not find_spec("modelopt"), reason="needs the extra `modelopt`")
CODES: dict[QuantisedPrecision, int] = {
    "int8": onnx.TensorProto.INT8,
    "float8": onnx.TensorProto.FLOAT8E4M3FN,
}


def quantised(files: GraphFiles, way: Way) -> Chosen:
    inputs = small.inputs(32)
    return quantise_graph(files, inputs, way, name="small.onnx", dim=small.DIM, on_step=lambda _: None)


@needs_modelopt
@pytest.mark.parametrize("precision", CODES)
def test_the_same_products_are_stored_in_eight_bits_and_answer_alike(precision: QuantisedPrecision) -> None:
    way = Way(precision, "modelopt", ("minmax",))
    found = quantised(small.files(), way)
    assert 0.98 < found.cosines["minmax"] < 1 - 1e-7
    model = onnx.load_from_string(found.graph)
    assert sorted(each.data_type for each in model.graph.initializer).count(CODES[precision]) >= 2
    untouched = {node.name: list(node.input) for node in model.graph.node if node.name in ("scores", "last")}
    assert untouched == {"scores": ["b", "c"], "last": ["f", "w3"]}


@needs_modelopt
def test_weights_in_a_file_of_their_own_make_no_difference(tmp_path: Path) -> None:
    way = Way("int8", "modelopt", ("minmax",))
    assert quantised(small.files_apart(tmp_path), way).cosines == quantised(small.files(), way).cosines


@pytest.mark.skipif(bool(find_spec("modelopt")), reason="about machines without the extra `modelopt`")
def test_without_the_tool_the_error_names_the_extra() -> None:
    way = Way("float8", "modelopt", ("minmax",))
    with pytest.raises(MissingDependency) as error:
        quantised(small.files(), way)
    assert "rvl-edge-sdk[modelopt]" in str(error.value)
