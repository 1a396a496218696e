# SPDX-License-Identifier: Apache-2.0
"""One graph quantised in several ways, and the way that is nearest to the float32 graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from rvl_edge.backends import open_session
from rvl_edge.offline.exporting.encoder import in_batches
from rvl_edge.offline.quantising.graphs import find_products, float_graph
from rvl_edge.offline.quantising.observing import observe
from rvl_edge.offline.quantising.ranges import Method
from rvl_edge.offline.quantising.static import quantise_int8
from rvl_edge.types import FloatArray

_BATCH = 4


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
    content: bytes,
    inputs: FloatArray,
    *,
    dim: int,
    methods: Sequence[Method],
    keep: Sequence[str] = (),
    on_step: Callable[[str], None],
) -> Chosen:
    """Quantise by each method and keep the best.

    Args:
        content: a float32 graph.
        inputs: (N, ...) calibration inputs. Ranges are taken from the first three quarters, the method is
            chosen on the last.
        dim: D of the embedding.
        methods: to choose from.
        keep: patterns of products that stay in float32.
        on_step: told what comes next.

    Raises:
        ConfigError: the graph is no float32 graph, or a pattern fits nothing.
    """
    model = float_graph(content)
    products = find_products(model, keep)
    cut = 3 * len(inputs) // 4
    on_step("ranges of activations")
    histograms = observe(
        model, [each.activations for each in products], np.array_split(inputs[:cut], -(-cut // _BATCH))
    )
    del model
    wanted = _encode(content, inputs[cut:], dim)
    graphs: dict[Method, bytes] = {}
    cosines: dict[Method, float] = {}
    for method in methods:
        on_step(method)
        limits = {name: each.limit(method) for name, each in histograms.items()}
        graph = quantise_int8(float_graph(content), products, limits).SerializeToString()
        cosines[method] = float(np.einsum("nd,nd->n", wanted, _encode(graph, inputs[cut:], dim)).mean())
        if cosines[method] == max(cosines.values()):
            graphs = {method: graph}
    ((best, graph),) = graphs.items()
    return Chosen(graph, best, cosines, len(products))


def _encode(graph: bytes, inputs: FloatArray, dim: int) -> FloatArray:
    with closing(open_session(graph, name="the graph", dim=dim)) as session:
        return in_batches(session.run, inputs)
