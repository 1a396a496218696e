# SPDX-License-Identifier: Apache-2.0
"""One graph quantised in several ways, and the way that is nearest to the float32 graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rvl_edge.backends import open_session
from rvl_edge.bundle.manifest import QuantisedPrecision
from rvl_edge.bundle.opening import GraphFiles
from rvl_edge.offline.batches import in_batches
from rvl_edge.offline.quantising.by_modelopt import ModelOptTool
from rvl_edge.offline.quantising.graphs import Product, find_products, float_graph
from rvl_edge.offline.quantising.halving import others_in_float16
from rvl_edge.offline.quantising.ranges import Method
from rvl_edge.offline.quantising.simulating import open_quantised
from rvl_edge.offline.quantising.static import OnnxRuntimeTool
from rvl_edge.types import FloatArray

Tool = Literal["onnxruntime", "modelopt"]
Others = Literal["float32", "float16"]


@dataclass(frozen=True)
class Way:
    """How to quantise.

    Attributes:
        precision: of the products.
        tool: what puts the Q/DQ in.
        methods: of calibration, to choose from.
        others: what everything but the products computes in.
    """

    precision: QuantisedPrecision
    tool: Tool
    methods: tuple[Method, ...]
    others: Others = "float32"


@dataclass(frozen=True, eq=False)
class Chosen:
    """A quantised graph.

    Attributes:
        graph: the ONNX file's bytes.
        method: of calibration.
        cosines: mean cosine to the float32 graph on samples that no range was taken from, by method.
        products: how many products are quantised.
    """

    graph: bytes
    method: Method
    cosines: Mapping[Method, float]
    products: int


def quantise_graph(
    files: GraphFiles,
    inputs: FloatArray,
    way: Way,
    *,
    name: str,
    dim: int,
    keep: Sequence[str] = (),
    on_step: Callable[[str], None],
) -> Chosen:
    """Quantise by each method and keep the best.

    Args:
        files: a float32 graph.
        inputs: (N, ...) calibration inputs. Ranges are taken from the first three quarters, the method is
            chosen on the last.
        way: precision, tool and methods.
        name: the graph's path in its bundle.
        dim: D of the embedding.
        keep: patterns of products that stay in float32.
        on_step: told what comes next.

    Raises:
        ConfigError: the graph is no float32 graph, or a pattern fits nothing.
        MissingDependency: the tool is not installed.
    """
    products = find_products(float_graph(files), keep)
    cut = 3 * len(inputs) // 4
    on_step("ranges of activations")
    make = _tool(way, files, name, products, inputs[:cut])
    best, cosines = b"", dict[Method, float]()
    with closing(open_session(files.graph, name=name, dim=dim, weights=files.weights)) as reference:
        wanted = in_batches(reference.run, inputs[cut:])
        for method in way.methods:
            on_step(method)
            graph = make(method) if way.others == "float32" else others_in_float16(make(method))
            with closing(open_quantised(graph, way.precision, dim)) as session:
                found = in_batches(session.run, inputs[cut:])
            cosines[method] = float(np.einsum("nd,nd->n", wanted, found).mean())
            if cosines[method] == max(cosines.values()):
                best, chosen = graph, method
    return Chosen(best, chosen, cosines, len(products))


def _tool(
    way: Way, files: GraphFiles, name: str, products: Sequence[Product], inputs: FloatArray
) -> Callable[[Method], bytes]:
    if way.tool == "modelopt":
        return ModelOptTool(files, products, inputs, way.precision)
    return OnnxRuntimeTool(files, name, products, inputs)
