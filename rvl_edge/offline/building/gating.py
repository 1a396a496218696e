# SPDX-License-Identifier: Apache-2.0
"""An engine held to labelled frames, as they are and attacked; needs torch, which crafts the attacks."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from rvl_edge._validation import complaints
from rvl_edge.backends import Session, open_session
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.manifest import GraphEntry
from rvl_edge.errors import ConfigError
from rvl_edge.offline.building.recipe import BuildRecipe
from rvl_edge.offline.gates import GateRecipe, anchors_of, gate_frames, hold, report_json, require
from rvl_edge.types import Modality


class SenseGates(GateRecipe):
    """Thresholds of one sense, and the checkpoint that attacks are crafted on; without it there are none."""

    checkpoint: Path | None = None


@dataclass(frozen=True)
class Gates:
    """What engines are held to.

    Attributes:
        data: folder of the labelled sets.
        senses: thresholds by sense; others are not held to anything.
    """

    data: Path
    senses: Mapping[Modality, SenseGates]

    @classmethod
    def of(cls, recipe: BuildRecipe, data: Path) -> Gates:
        """Read the gates of a recipe.

        Raises:
            ConfigError: a field that is unknown or out of range.
        """
        try:
            return cls(data, {sense: SenseGates.model_validate(each) for sense, each in recipe.gates.items()})
        except ValidationError as error:
            raise ConfigError("the recipe's gates cannot be used", got=complaints(error)) from None

    def hold(self, bundle: Bundle, graph: GraphEntry, engine: Session) -> bytes | None:
        """Ask an engine about labelled frames, beside its graph on the CPU.

        Returns:
            What was measured, as JSON; None for a graph without gates.

        Raises:
            GateFailed: it loses too much; says on which frames.
            ConfigError, CheckpointError: frames or attacks cannot be made.
        """
        found = [each for each in self.senses if bundle.manifest.senses.get(each) is graph]
        if not found:
            return None
        (modality,), gates = found, self.senses[found[0]]

        spec = bundle.manifest.senses[modality].preprocess
        frames = gate_frames(
            spec, self.data, anchors_of(bundle, modality), gates, checkpoint=gates.checkpoint
        )
        with closing(_reference(bundle, graph)) as reference:
            report = hold(
                reference, engine, frames, gates, backend=engine.description, precision=graph.precision
            )
        require(report, f"the engine of {graph.graph.path}")
        return report_json({str(modality): report})


def _reference(bundle: Bundle, entry: GraphEntry) -> Session:
    files = bundle.load(entry)
    backend = "openvino-bf16" if entry.precision == "bfloat16" else "onnxruntime"
    return open_session(
        files.graph,
        name=entry.graph.path,
        dim=bundle.manifest.embedding_dim,
        weights=files.weights,
        backend=backend,
    )
