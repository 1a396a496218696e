# SPDX-License-Identifier: Apache-2.0
"""An engine is held to labelled frames as its recipe says; the engine here is its graph, sound or spoilt."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rtx import needs_rtx

from rvl_edge.backends import open_session
from rvl_edge.backends.cuda import Device
from rvl_edge.bundle import Bundle, verify
from rvl_edge.bundle.opening import DEFAULT_BUNDLE
from rvl_edge.errors import BundleError, CheckpointError, ConfigError, GateFailed
from rvl_edge.offline.building import build as building
from rvl_edge.offline.building import build_engines, craft_frames
from rvl_edge.offline.building.gating import Gates
from rvl_edge.offline.building.recipe import BuildRecipe, read_recipe
from rvl_edge.offline.gates import Attacked, Frames, GateRecipe, Replay, ask, read_replay, store_replay
from rvl_edge.types import Modality

CHECKPOINTS = Path(__file__).resolve().parents[2] / "export" / "checkpoints"
WIDE = {"clean_drop": 0.5, "robust_drop": 0.5}
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch crafts the attacks")


class Engine:
    """A graph of a bundle, its embeddings turned by a constant."""

    def __init__(self, bundle: Bundle, modality: Modality, shift: float = 0.0) -> None:
        entry = bundle.manifest.senses[modality]
        self._session = open_session(bundle.load(entry).graph, name="x", dim=bundle.manifest.embedding_dim)
        self._shift = shift
        self.io, self.description = self._session.io, "an engine"

    def run(self, batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        found = self._session.run(batch)
        found[:, 0] += self._shift
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def warm_up(self) -> None: ...

    def close(self) -> None: ...


def recipe(sense: str = "image", **gates: object) -> BuildRecipe:
    return BuildRecipe.model_validate({"gates": {sense: {"frames": 24, "steps": 2, **gates}}})


def with_frames(root: Path, **crafting: object) -> Bundle:
    """A bundle with made-up frames of its image graph, whose answers are the truth."""
    bundle = Bundle.open(root)
    entry, dim = bundle.manifest.senses[Modality.IMAGE], bundle.manifest.embedding_dim
    random = np.random.default_rng(0)
    inputs, hit = random.normal(size=(2, 24, *entry.input_shape)).astype(np.float32)
    anchors = random.normal(size=(4, dim)).astype(np.float32)
    anchors /= np.linalg.norm(anchors, axis=1, keepdims=True)
    engine = Engine(bundle, Modality.IMAGE)
    truths = (engine.run(inputs) @ anchors.T).argmax(axis=1)
    frames = Frames(inputs, truths, anchors, "made up", Attacked(hit, "pgd", "nothing"))
    gates = GateRecipe.model_validate({"frames": 24, "steps": 2, **crafting})
    store_replay(bundle, Modality.IMAGE, Replay(frames, ask(engine, frames)), gates)
    return Bundle.open(root)


def test_an_engine_is_held_to_the_bundles_frames_where_there_is_no_torch(own_bundle: Path) -> None:
    with_frames(own_bundle)
    assert verify(own_bundle).ok
    script = f"""
import sys
sys.modules["torch"] = None
sys.path[:0] = {sys.path!r}
from test_gating import Bundle, Engine, Gates, Modality, WIDE, recipe
bundle = Bundle.open({str(own_bundle)!r})
gates, image = Gates(recipe(**WIDE).gates, None), bundle.manifest.senses[Modality.IMAGE]
print(gates.hold(bundle, image, Engine(bundle, Modality.IMAGE)).decode())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["image"]
    assert found["missed"] == []
    assert (found["clean"]["reference"]["value"], found["robust"]["condition"]) == (1.0, "pgd")


def test_a_spoilt_engine_misses_the_gates_that_are_replayed(own_bundle: Path) -> None:
    bundle = with_frames(own_bundle)
    gates = Gates(recipe(clean_drop=0.2).gates, None)
    with pytest.raises(GateFailed, match=r"the engine of graphs/image\.onnx missed .*parity"):
        gates.hold(bundle, bundle.manifest.senses[Modality.IMAGE], Engine(bundle, Modality.IMAGE, 2.0))


@needs_rtx
def test_an_engine_that_is_there_is_held_to_gates_that_came_later(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Building is real; where the engine would run on the GPU, its graph runs."""
    with_frames(own_bundle)
    small = {"senses": ["image"], "compute_capabilities": ["8.6"], "optimization_level": 0}
    (first,) = build_engines(BuildRecipe.model_validate(small), own_bundle).engines
    later = BuildRecipe.model_validate({**small, "gates": recipe(**WIDE).gates})
    shift = 0.0

    def runs_here(*_: object) -> Engine:
        return Engine(Bundle.open(own_bundle), Modality.IMAGE, shift)

    here = SimpleNamespace(device=Device("a GPU", "8.6", 1 << 30))
    monkeypatch.setattr(building, "open_cuda", lambda: here)
    monkeypatch.setattr(building, "load_built", runs_here)
    (again,) = build_engines(later, own_bundle, on_device=True).engines
    assert (again.entry, again.seconds) == (first.entry, 0)
    assert again.cosine_min == pytest.approx(1, abs=1e-6)
    bundle = Bundle.open(own_bundle)
    report = bundle.read(bundle.manifest.reports["gates-image-rtx-desktop.json"])
    assert json.loads(report)["image"]["missed"] == []
    before = (own_bundle / "manifest.json").stat().st_mtime_ns
    build_engines(later, own_bundle, on_device=True)
    assert (own_bundle / "manifest.json").stat().st_mtime_ns == before
    shift = 2.0
    with pytest.raises(GateFailed, match=r"graphs/image\.onnx disagrees"):
        build_engines(later, own_bundle, on_device=True)


def test_gates_of_a_sense_that_is_not_built_are_refused() -> None:
    with pytest.raises(ValueError, match="senses does not name thermal"):
        BuildRecipe.model_validate({"senses": ["image"], "gates": {"thermal": {}}})


def test_frames_that_are_none_or_others_are_refused_with_the_command_that_makes_them(
    own_bundle: Path, tiny_bundle: Path
) -> None:
    gates = GateRecipe(frames=24, steps=2)
    with pytest.raises(ConfigError, match=r"holds no frames to gate image.*--craft"):
        Gates(recipe().gates, None).check(Bundle.open(tiny_bundle))
    bundle = with_frames(own_bundle)
    with pytest.raises(ConfigError, match=r"made otherwise than the recipe says.*--craft"):
        read_replay(bundle, Modality.IMAGE, GateRecipe(frames=24, steps=3))
    image, thermal = (bundle.manifest.senses[each] for each in (Modality.IMAGE, Modality.THERMAL))
    moved = thermal.model_copy(update={"gate_frames": image.gate_frames})
    other = bundle.manifest.model_copy(update={"senses": {Modality.THERMAL: moved}})
    with pytest.raises(BundleError, match=r"made for another graph.*--craft"):
        read_replay(Bundle(own_bundle, other), Modality.THERMAL, gates)
    card = image.model_copy(update={"gate_frames": bundle.manifest.model_card})
    broken = bundle.manifest.model_copy(update={"senses": {Modality.IMAGE: card}})
    with pytest.raises(BundleError, match="no frames for gates"):
        read_replay(Bundle(own_bundle, broken), Modality.IMAGE, gates)


@needs_torch
def test_frames_are_crafted_on_one_machine_and_replayed_on_another(tmp_path: Path) -> None:
    from small_sets import write_small_sets

    data = write_small_sets(tmp_path / "sets").data
    root = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))
    checkpoint = str(CHECKPOINTS / "tiny-hardened" / "image")
    asked = recipe(part="test", frames=12, eps=4, top1_min=0.9, checkpoint=checkpoint, **WIDE)
    craft_frames(asked, root, data)
    bundle = Bundle.open(root)
    image = bundle.manifest.senses[Modality.IMAGE]
    report = Gates(asked.gates, None).hold(bundle, image, Engine(bundle, Modality.IMAGE))
    assert report is not None
    found = json.loads(report)["image"]
    assert found["missed"] == []
    assert found["robust"]["condition"].startswith("pgd linf 4/255, 2 steps")
    replay = read_replay(bundle, Modality.IMAGE, asked.gates[Modality.IMAGE])
    frames = replay.frames
    assert frames.attacked is not None
    right = (replay.reference.clean @ frames.anchors.T).argmax(axis=1) == frames.truths
    moved = (frames.attacked.inputs != frames.inputs).reshape(len(right), -1).any(axis=1)
    assert 0 < right.sum() < len(right)
    np.testing.assert_array_equal(moved, right)  # what is wrong already is left so
    assert Gates(asked.gates, None).hold(bundle, bundle.manifest.senses[Modality.AUDIO], None) is None  # type: ignore[arg-type]
    plain = recipe(part="test", frames=12, checkpoint=str(CHECKPOINTS / "tiny" / "image"))
    with pytest.raises(CheckpointError, match=r"the bundle's image graph was not exported from .*tiny/image"):
        craft_frames(plain, root, data)
    with pytest.raises(CheckpointError, match=r"the bundle's image graph was not exported from .*tiny/image"):
        Gates(plain.gates, data).check(bundle)
    with pytest.raises(CheckpointError, match="no weights"):
        Gates(recipe(part="test", checkpoint=str(tmp_path / "nowhere")).gates, data).check(bundle)
    with pytest.raises(ConfigError, match="no CIFAR-10 there"):
        Gates(recipe().gates, tmp_path / "nowhere").check(bundle)


@pytest.mark.data
@needs_torch
def test_a_sound_engine_passes_on_real_frames(data_dir: Path) -> None:
    bundle = Bundle.open()
    checkpoint = str(CHECKPOINTS / "tiny-hardened" / "thermal")
    gates = Gates(recipe("thermal", checkpoint=checkpoint, **WIDE).gates, data_dir)
    thermal = bundle.manifest.senses[Modality.THERMAL]
    report = gates.hold(bundle, thermal, Engine(bundle, Modality.THERMAL))
    assert report is not None
    (found,) = json.loads(report).values()
    assert found["missed"] == []
    assert found["robust"]["condition"].startswith("pgd")


def test_gates_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("gates: {image: {clean_loss: 0.1}}\n")
    with pytest.raises(ConfigError, match=r"no build recipe: got gates\.image\.clean_loss"):
        read_recipe(tmp_path / "recipe.yaml")


def test_gates_need_an_engine_that_runs_here(own_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")
    with pytest.raises(ConfigError, match="--on-device"):
        build_engines(recipe(), own_bundle, data=tmp_path)


def test_a_checkpoint_is_found_from_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("gates: {image: {checkpoint: here/image, frames: 8}}\n")
    read = read_recipe(tmp_path / "recipe.yaml")
    assert read.gates[Modality.IMAGE].checkpoint == tmp_path / "here" / "image"
    assert read.gates[Modality.IMAGE].frames == 8
