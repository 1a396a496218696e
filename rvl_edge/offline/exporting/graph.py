# SPDX-License-Identifier: Apache-2.0
"""torch module -> one ONNX graph with a free batch axis and nothing of this machine in it."""

from __future__ import annotations

import warnings

import onnx_ir as ir
import torch
from onnx import helper
from torch import Tensor, nn

from rvl_edge.errors import CheckpointError

OUTPUT = "embedding"


def to_onnx(encoder: nn.Module, example: Tensor, *, input_name: str, opset: int) -> ir.Model:
    """Trace an encoder in evaluation mode and translate it.

    Args:
        encoder: maps a batch to (B, D) of unit norm, as the towers' `forward` does.
        example: a batch of at least two samples; every axis but the first is fixed by it.
        input_name: what the graph calls its input.
        opset: ONNX operator set.

    Returns:
        A model with input `input_name` and output `embedding`, both with a free first axis. Its weights are
        the encoder's own memory, not copies.

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
    model: ir.Model = program.model
    # The oldest format version that will do: runtimes older than this exporter read it too.
    domains = [helper.make_opsetid(domain, version) for domain, version in model.opset_imports.items()]
    model.ir_version = helper.find_min_ir_version_for(domains)
    for value in (*model.graph.inputs, *model.graph.outputs):
        if value.shape is None or isinstance(value.shape[0], int):
            raise CheckpointError(
                f"the exported {value.name} has a fixed batch size",
                fix="take sizes from tensor.shape, not from len(), in the encoder's forward",
            )
    _name_output(model.graph)
    _strip(model)
    return model


def _name_output(graph: ir.Graph) -> None:
    """Name the output `embedding`, and else what torch named so inside (it names values after operators)."""
    for node in graph:
        for value in node.outputs:
            if value.name == OUTPUT:
                value.name = f"inner_{OUTPUT}"
    graph.outputs[0].name = OUTPUT


def _strip(model: ir.Model) -> None:
    """Remove stack traces and notes: they name paths of this machine and outweigh the structure."""
    graph = model.graph
    parts: list[ir.Model | ir.Graph | ir.Node | ir.Value] = [
        model,
        graph,
        *graph.inputs,
        *graph.initializers.values(),
    ]
    for node in ir.traversal.RecursiveGraphIterator(graph):
        parts += [node, *node.outputs]
    for part in parts:
        part.doc_string = None
        part.metadata_props.clear()
