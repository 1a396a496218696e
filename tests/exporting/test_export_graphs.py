# SPDX-License-Identifier: Apache-2.0
"""Graphs of every precision and their files, against torch and the onnx package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from export_sources import encoder, text_encoder
from onnx import TensorProto, numpy_helper

from rvl_edge.bundle.external_data import check_external_data
from rvl_edge.bundle.manifest import FileRef, Precision
from rvl_edge.errors import CheckpointError
from rvl_edge.offline.exporting import writing
from rvl_edge.offline.exporting.encoder import write_graph
from rvl_edge.offline.towers import Encoder, TextEncoder

HALF = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16}


def inputs(tower: Encoder | TextEncoder, count: int = 3) -> np.ndarray:
    random = np.random.default_rng(0)
    if isinstance(tower, TextEncoder):
        ids = random.integers(1, 500, (count, 24))
        ids[:, 7] = 599
        return ids
    size = tower.card.vision_config.image_size
    height, width = (size, size) if isinstance(size, int) else size
    frames = [4] if tower.card.modality == "video" else []
    return random.normal(size=(count, 3, *frames, height, width)).astype(np.float32)


def embedded(tower: Encoder | TextEncoder, batch: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return tower(torch.from_numpy(batch)).numpy()


def written(tower: Encoder | TextEncoder, path: Path, precision: Precision = "float32") -> onnx.ModelProto:
    write_graph(tower, inputs(tower, 2), path, precision=precision, weights="float32", opset=18)
    return onnx.load(path)


def run(session: ort.InferenceSession, batch: np.ndarray) -> np.ndarray:
    return session.run(None, {session.get_inputs()[0].name: batch})[0]


def inferred_types(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    return {
        **{value.name: value.type.tensor_type.elem_type for value in values},
        **{tensor.name: tensor.data_type for tensor in graph.initializer},
    }


@pytest.fixture(scope="module")
def image() -> Encoder:
    return encoder("image")


@pytest.mark.parametrize("make", [lambda: encoder("video"), text_encoder], ids=["video", "text"])
def test_half_precision_graphs_stay_close_and_take_float32(
    make: type[Encoder] | type[TextEncoder], tmp_path: Path
) -> None:
    tower = make()
    model = written(tower, tmp_path / "x.onnx", "float16")
    session = ort.InferenceSession(tmp_path / "x.onnx", providers=["CPUExecutionProvider"])
    (output,) = session.get_outputs()
    batch = inputs(tower)
    found = run(session, batch)
    assert found.dtype == np.float32
    assert output.name == "embedding"
    wanted = embedded(tower, batch)
    assert (found * wanted).sum(axis=1).min() > 0.9999
    assert np.abs(found - wanted).max() > 1e-6  # or nothing was computed in half precision
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    matrices = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 2]
    assert {tensor.data_type for tensor in matrices} == {TensorProto.FLOAT16}


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_what_is_delicate_stays_in_float32(image: Encoder, tmp_path: Path, precision: Precision) -> None:
    model = written(image, tmp_path / "x.onnx", precision)
    types = inferred_types(model)
    seen = set()
    for node in model.graph.node:
        if node.op_type in ("LayerNormalization", "Softmax", "Conv", "ReduceL2"):
            assert {types[name] for name in (node.input[0], node.output[0])} == {TensorProto.FLOAT}
        if node.op_type == "MatMul":
            assert {types[name] for name in (*node.input, *node.output)} == {HALF[precision]}
        seen.add(node.op_type)
    assert {"LayerNormalization", "Softmax", "Conv", "ReduceL2", "MatMul"} <= seen


def test_bfloat16_graph_on_openvino(image: Encoder, tmp_path: Path) -> None:
    ov = pytest.importorskip("openvino")
    written(image, tmp_path / "x.onnx", "bfloat16")
    compiled = ov.Core().compile_model(tmp_path / "x.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    batch = inputs(image)
    found = compiled([batch])[0]
    wanted = embedded(image, batch)
    assert (found * wanted).sum(axis=1).min() > 0.999
    assert np.abs(found - wanted).max() > 1e-5  # or nothing was computed in bfloat16


def test_a_weight_that_half_precision_cannot_hold(tmp_path: Path) -> None:
    tower = encoder("image")
    with torch.no_grad():
        tower.vision_model.encoder.layers[0].mlp.fc1.weight[3, 4] = 1e6
    with pytest.raises(CheckpointError, match="too large for float16"):
        written(tower, tmp_path / "x.onnx", "float16")


def test_every_weight_arrives_bit_for_bit(image: Encoder, tmp_path: Path) -> None:
    model = written(image, tmp_path / "x.onnx")
    onnx.checker.check_model(model, full_check=True)
    stored = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    for name, weight in image.named_parameters():
        if name == "logit_scale":
            continue
        wanted = weight.detach().numpy()
        same = [each for each in stored if each.dtype == np.float32 and each.size == wanted.size]
        assert any(
            np.array_equal(each.reshape(wanted.shape), wanted)
            or (each.ndim == 2 and np.array_equal(each.T, wanted))
            for each in same
        ), name


def test_weights_beyond_the_limit_lie_in_one_file_beside_the_graph(
    image: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LARGEST_FILE", 1000)
    path = tmp_path / "image.onnx"
    outside = write_graph(image, inputs(image, 2), path, precision="float32", weights="float32", opset=18)
    assert outside
    assert sorted(each.name for each in tmp_path.iterdir()) == ["image.onnx", "image.onnx.data"]
    graph, data = path.read_bytes(), (tmp_path / "image.onnx.data").read_bytes()
    assert len(graph) < len(data)
    own = FileRef(path="image.onnx.data", sha256="0" * 64, size=len(data))
    check_external_data(graph, "image.onnx", own)
    options = ort.SessionOptions()
    options.add_external_initializers_from_files_in_memory(["image.onnx.data"], [data], [len(data)])
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    batch = inputs(image)
    np.testing.assert_allclose(run(session, batch), embedded(image, batch), atol=1e-6)
