# SPDX-License-Identifier: Apache-2.0
"""torch module -> one ONNX graph with a free batch axis and nothing of this machine in it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import onnx
import torch
from onnx import AttributeProto, GraphProto, ModelProto, helper
from torch import Tensor, nn

from rvl_edge.errors import CheckpointError

OUTPUT = "embedding"


def to_onnx(encoder: nn.Module, example: Tensor, *, input_name: str, opset: int) -> ModelProto:
    """Trace an encoder in evaluation mode and translate it.

    Args:
        encoder: maps a batch to (B, D) of unit norm, as the towers' `forward` does.
        example: a batch of at least two samples; every axis but the first is fixed by it.
        input_name: what the graph calls its input.
        opset: ONNX operator set.

    Returns:
        A checked model, input `input_name`, output `embedding`, both with a free first axis.

    Raises:
        CheckpointError: the encoder's code fixes the batch size.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations; failures raise
        program = torch.onnx.export(
            encoder.eval(),
            (example,),
            dynamo=True,
            opset_version=opset,
            input_names=[input_name],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            external_data=False,
            verbose=False,
        )
    assert program is not None  # without dynamo it would be
    model: ModelProto = program.model_proto
    # The oldest format version that will do: runtimes older than this exporter read it too.
    model.ir_version = helper.find_min_ir_version_for(model.opset_import)
    _rename_output(model.graph)
    _strip(model)
    for tensor in (*model.graph.input, *model.graph.output):
        if not tensor.type.tensor_type.shape.dim[0].dim_param:
            raise CheckpointError(
                f"the exported {tensor.name} has a fixed batch size",
                fix="take sizes from tensor.shape, not from len(), in the encoder's forward",
            )
    onnx.checker.check_model(model, full_check=True)
    return model


def _rename_output(graph: GraphProto) -> None:
    """Name the output `embedding`, and else what torch named so inside (it names values after operators)."""
    (output,) = graph.output
    names = {OUTPUT: "inner_embedding", output.name: OUTPUT}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    del graph.value_info[:]  # intermediate shapes: inferred again by whoever needs them
    output.name = OUTPUT


def _strip(model: ModelProto) -> None:
    """Remove stack traces and notes: they name paths of this machine and outweigh the structure."""
    del model.metadata_props[:]
    model.doc_string = ""
    for graph in _graphs(model.graph):
        graph.doc_string = ""
        for part in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
            part.doc_string = ""
            del part.metadata_props[:]


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for attribute in (each for node in graph.node for each in node.attribute):
        if attribute.type == AttributeProto.GRAPH:
            yield from _graphs(attribute.g)
