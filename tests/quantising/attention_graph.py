# SPDX-License-Identifier: Apache-2.0
"""A transformer's parts as a graph that embeds patches: three weighted products, one of two activations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rvl_edge.bundle.manifest import weights_path
from rvl_edge.bundle.opening import GraphFiles

DIM, WIDTH = 8, 16
SHAPE = (4, WIDTH)  # tokens, channels


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    columns = np.geomspace(0.01, 1, WIDTH)  # channels of unlike size, as trained ones are
    return {
        "w1": (random.normal(size=(WIDTH, WIDTH)) * columns).astype(np.float32),
        "layers.0.fc1.bias": random.normal(size=WIDTH).astype(np.float32),
        "w2": (random.normal(size=(WIDTH, WIDTH)) * columns).astype(np.float32),
        "layers.0.fc2.bias": random.normal(size=WIDTH).astype(np.float32),
        "w3": random.normal(size=(WIDTH, DIM)).astype(np.float32),
        "tokens": np.array([1]),
    }


def graph(half_weights: bool = False) -> bytes:
    """As bytes; `half_weights` stores the first weight in float16 behind a Cast, as bundles do."""
    stored = weights()
    nodes = []
    if half_weights:
        stored["w1.half"] = stored.pop("w1").astype(np.float16)
        nodes.append(helper.make_node("Cast", ["w1.half"], ["w1"], to=TensorProto.FLOAT))
    nodes += [
        helper.make_node("MatMul", ["pixel_values", "w1"], ["a"], name="first"),
        helper.make_node("Add", ["a", "layers.0.fc1.bias"], ["b"]),
        helper.make_node("Transpose", ["b"], ["c"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["b", "c"], ["scores"], name="scores"),
        helper.make_node("Softmax", ["scores"], ["shares"]),
        helper.make_node("MatMul", ["shares", "b"], ["mixed"], name="mixing"),
        helper.make_node("MatMul", ["mixed", "w2"], ["d"], name="second"),
        helper.make_node("Add", ["layers.0.fc2.bias", "d"], ["e"]),
        helper.make_node("ReduceMean", ["e", "tokens"], ["f"], keepdims=0),
        helper.make_node("MatMul", ["f", "w3"], ["g"], name="last"),
        helper.make_node("ReduceL2", ["g", "last_axis"], ["norm"], keepdims=1),
        helper.make_node("Div", ["g", "norm"], ["embedding"]),
    ]
    stored["last_axis"] = np.array([-1])
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "encoder",
            [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", *SHAPE])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIM])],
            [numpy_helper.from_array(value, name) for name, value in stored.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def files(half_weights: bool = False) -> GraphFiles:
    """The same as a bundle holds it."""
    return GraphFiles(graph(half_weights), None)


def files_apart(folder: Path, half_weights: bool = False) -> GraphFiles:
    """The same with its weights in a file of their own, as graphs beyond 2 GB have them."""
    path = folder / "small.onnx"
    onnx.save(
        onnx.load_from_string(graph(half_weights)),
        path,
        save_as_external_data=True,
        location=weights_path(path.name),
        size_threshold=64,
    )
    return GraphFiles(path.read_bytes(), Path(weights_path(str(path))).read_bytes())


def inputs(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float32)
