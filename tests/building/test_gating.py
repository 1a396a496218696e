# SPDX-License-Identifier: Apache-2.0
"""An engine is held to labelled frames as its recipe says; the engine here is its graph, sound or spoilt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rvl_edge.backends import open_session
from rvl_edge.bundle import Bundle
from rvl_edge.errors import ConfigError, GateFailed
from rvl_edge.offline.building import build_engines
from rvl_edge.offline.building.gating import Gates
from rvl_edge.offline.building.recipe import BuildRecipe, read_recipe
from rvl_edge.types import Modality

TINY = Path(__file__).resolve().parents[2] / "export" / "checkpoints" / "tiny" / "thermal"


class Engine:
    """The thermal graph, its embeddings turned by a constant."""

    def __init__(self, shift: float) -> None:
        bundle = Bundle.open()
        entry = bundle.manifest.senses[Modality.THERMAL]
        self._session = open_session(bundle.load(entry).graph, name="x", dim=bundle.manifest.embedding_dim)
        self._shift = shift
        self.io, self.description = self._session.io, "an engine"

    def run(self, batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        found = self._session.run(batch)
        found[:, 0] += self._shift
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def warm_up(self) -> None: ...

    def close(self) -> None: ...


def recipe(**gates: object) -> BuildRecipe:
    return BuildRecipe(gates={"thermal": {"frames": 24, "steps": 2, **gates}})  # type: ignore[dict-item]


@pytest.mark.data
def test_a_sound_engine_passes_on_frames_and_on_attacked_ones(data_dir: Path) -> None:
    bundle = Bundle.open()
    gates = Gates.of(recipe(clean_drop=0.5, robust_drop=0.5, checkpoint=str(TINY)), data_dir)
    report = gates.hold(bundle, bundle.manifest.senses[Modality.THERMAL], Engine(0.0))
    assert report is not None
    (found,) = json.loads(report).values()
    assert found["missed"] == []
    assert found["robust"]["condition"].startswith("pgd")
    assert gates.hold(bundle, bundle.manifest.senses[Modality.IMAGE], Engine(0.0)) is None


@pytest.mark.data
def test_a_spoilt_engine_does_not(data_dir: Path) -> None:
    bundle = Bundle.open()
    gates = Gates.of(recipe(clean_drop=0.2), data_dir)
    with pytest.raises(GateFailed, match=r"the engine of graphs/thermal\.onnx missed .*parity"):
        gates.hold(bundle, bundle.manifest.senses[Modality.THERMAL], Engine(2.0))


def test_gates_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gates cannot be used: got clean_loss"):
        Gates.of(recipe(clean_loss=0.1), tmp_path)


def test_gates_need_frames_and_an_engine_that_runs_here(own_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")
    for arguments in ({}, {"data": tmp_path}):
        with pytest.raises(ConfigError, match="--data and --on-device"):
            build_engines(recipe(), own_bundle, **arguments)


def test_a_checkpoint_is_found_from_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("gates: {image: {checkpoint: here/image, frames: 8}}\n")
    read = read_recipe(tmp_path / "recipe.yaml")
    assert read.gates[Modality.IMAGE] == {"checkpoint": str(tmp_path / "here" / "image"), "frames": 8}
