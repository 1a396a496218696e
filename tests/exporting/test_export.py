# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of random towers -> bundle -> Perceiver, against the towers themselves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from export_sources import DIM, SETS, VOCABULARY, edit, write_sources

import rvl_edge as rvl
from rvl_edge import preprocess as pre
from rvl_edge.errors import BundleNotFound, CheckpointError, ConfigError, GateFailed
from rvl_edge.offline.exporting.export import export_bundle
from rvl_edge.offline.towers import Encoder, open_checkpoint
from rvl_edge.offline.towers.vocabulary import build_tokenizer


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with checkpoints, a model card and a recipe."""
    home = tmp_path_factory.mktemp("sources")
    write_sources(home)
    return home


@pytest.fixture(scope="module")
def bundle(sources: Path) -> Path:
    report = export_bundle(sources / "recipe.yaml")
    assert set(report.parity) == {*SETS, "text"}
    assert all(parity.samples == 8 for parity in report.parity.values())
    return report.path


@pytest.fixture
def own_sources(sources: Path, tmp_path: Path) -> Path:
    """A copy of the sources that the test may change, with one sense: tracing a tower takes seconds."""
    home = Path(shutil.copytree(sources, tmp_path / "own", ignore=shutil.ignore_patterns("bundle")))
    edit(home, lambda recipe: recipe.update(senses={"image": recipe["senses"]["image"]}))
    return home


def test_perceiver_sees_what_the_towers_see(sources: Path, bundle: Path) -> None:
    random = np.random.default_rng(3)
    picture = random.integers(0, 256, (40, 30, 3), np.uint8)
    sound = (0.1 * random.normal(size=8_000)).astype(np.float32)
    frames = random.integers(0, 256, (6, 20, 20, 3), np.uint8)
    with rvl.Perceiver.open(bundle) as perceiver:
        specs = {sense: perceiver.bundle.manifest.senses[rvl.Modality(sense)].preprocess for sense in SETS}
        seen = {
            "image": (perceiver.image(picture), pre.preprocess_image(picture, specs["image"])),
            "thermal": (
                perceiver.thermal(picture[..., 0]),
                pre.preprocess_thermal(picture[..., 0], specs["thermal"]),
            ),
            "audio": (
                perceiver.audio(sound, sample_rate=16_000),
                pre.preprocess_audio(sound, specs["audio"], sample_rate=16_000),
            ),
            "video": (perceiver.video(frames), pre.preprocess_video(frames, specs["video"])),
        }
        for sense, (perception, pixels) in seen.items():
            tower = open_checkpoint(sources / sense)
            with torch.inference_mode():
                wanted = tower(torch.from_numpy(pixels[None])).numpy()[0]
            np.testing.assert_allclose(perception.embedding, wanted, atol=1e-5)
            entry = perceiver.bundle.manifest.senses[rvl.Modality(sense)]
            assert entry.logit_scale == pytest.approx(1 / 0.07, rel=1e-3)
            assert entry.label_set == SETS[sense]


def test_label_sets_concepts_and_card_arrive(bundle: Path) -> None:
    manifest = rvl.Bundle.open(bundle).manifest
    assert manifest.label_sets["sounds"].labels[:2] == ("dog", "rooster")
    assert manifest.label_sets["camera-motion"].simulated
    assert "background" not in manifest.label_sets  # no sense was trained on it
    assert "forklift" not in manifest.concepts
    assert set(manifest.concepts["dog"]) == {"image", "audio", "video"}
    assert (bundle / "MODEL_CARD.md").read_text() == "# Random weights\n"
    assert rvl.verify(bundle).ok


def test_graphs_are_small_and_name_nothing_of_this_machine(sources: Path, bundle: Path) -> None:
    for sense in [*SETS, "text"]:
        folder = "text" if sense == "text" else "graphs"
        content = (bundle / folder / f"{sense}.onnx").read_bytes()
        for leak in (b'File "', b"stack_trace", str(Path.home()).encode(), str(sources).encode(), b".py"):
            assert leak not in content
        weights = (sources / sense / "model.safetensors").stat().st_size
        assert len(content) < weights + 40_000  # structure; float32 would add as much as the weights again


def test_same_checkpoint_same_bytes(own_sources: Path, bundle: Path, tmp_path: Path) -> None:
    again = export_bundle(own_sources / "recipe.yaml", tmp_path / "again").path
    for graph in ("graphs/image.onnx", "text/text.onnx"):
        assert (again / graph).read_bytes() == (bundle / graph).read_bytes()


def test_float16_storage_changes_no_number(own_sources: Path, bundle: Path) -> None:
    full = export_bundle(edit(own_sources, lambda recipe: recipe.update(weights="float32"))).path
    inputs = np.random.default_rng(1).normal(size=(3, 3, 16, 16)).astype(np.float32)
    with rvl.Perceiver.open(full) as exact, rvl.Perceiver.open(bundle) as stored:
        np.testing.assert_array_equal(
            stored.encode_batch("image", inputs), exact.encode_batch("image", inputs)
        )
        np.testing.assert_array_equal(stored.embed_text(["a dog"]), exact.embed_text(["a dog"]))
    types = {
        tensor.data_type
        for tensor in onnx.load(bundle / "graphs/image.onnx").graph.initializer
        if np.prod(tensor.dims) >= 1024
    }
    assert types == {onnx.TensorProto.FLOAT16}


def test_weights_that_float16_cannot_hold_are_refused(own_sources: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = own_sources / "image" / "model.safetensors"
    weights = {name: value.float() * 1.0001 for name, value in load_file(path).items()}
    save_file(weights, path)
    with pytest.raises(CheckpointError, match="float16"):
        export_bundle(own_sources / "recipe.yaml")


def test_a_missed_gate_leaves_the_old_bundle(own_sources: Path, bundle: Path) -> None:
    shutil.copytree(bundle, own_sources / "bundle")
    before = (own_sources / "bundle" / "manifest.json").read_bytes()
    recipe = edit(own_sources, lambda recipe: recipe.update(parity={"samples": 4, "max_abs": 1e-12}))
    with pytest.raises(GateFailed, match="graph disagrees"):
        export_bundle(recipe)
    assert (own_sources / "bundle" / "manifest.json").read_bytes() == before
    shutil.rmtree(own_sources / "bundle")
    with pytest.raises(GateFailed):
        export_bundle(recipe)
    with pytest.raises(BundleNotFound):
        rvl.Bundle.open(own_sources / "bundle")


def test_tokenizer_of_another_tower(own_sources: Path) -> None:
    (own_sources / "text" / "tokenizer.json").write_text(build_tokenizer(VOCABULARY + 10).to_str())
    with pytest.raises(CheckpointError, match="tokenizer"):
        export_bundle(own_sources / "recipe.yaml")


def test_a_batch_size_fixed_by_the_code(monkeypatch: pytest.MonkeyPatch, own_sources: Path) -> None:
    monkeypatch.setattr(Encoder, "forward", lambda self, pixels: self.encode(pixels).view(len(pixels), DIM))
    with pytest.raises(CheckpointError, match="fixed batch size"):
        export_bundle(own_sources / "recipe.yaml")


@pytest.mark.parametrize(
    ("change", "error", "named"),
    [
        (lambda r: r.pop("text"), ConfigError, "text"),
        (lambda r: r.update(bits=8), ConfigError, "bits"),
        (lambda r: r.update(name="No Name"), ConfigError, "name"),
        (lambda r: r.update(labels="nowhere"), ConfigError, "label sets"),
        (lambda r: r.update(model_card="nowhere.md"), ConfigError, r"nowhere\.md"),
        (lambda r: r["senses"]["image"].update(label_set="sounds"), ConfigError, "sounds"),
        (lambda r: r["senses"]["image"].update(checkpoint="thermal"), CheckpointError, "thermal"),
        (lambda r: r["senses"]["image"].update(checkpoint="text"), CheckpointError, "another tower"),
        (lambda r: r.update(text="image"), CheckpointError, "no text encoder"),
    ],
)
def test_recipes_that_cannot_be_built(
    own_sources: Path, change: Callable[[dict[str, Any]], None], error: type[Exception], named: str
) -> None:
    recipe = edit(own_sources, change)
    before = sorted(path.name for path in own_sources.iterdir())
    with pytest.raises(error, match=named):
        export_bundle(recipe)
    assert sorted(path.name for path in own_sources.iterdir()) == before


def test_what_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        export_bundle(tmp_path / "missing.yaml")
    for content in (b"", b"a: [", b"\xff", json.dumps([1]).encode()):
        (tmp_path / "recipe.yaml").write_bytes(content)
        with pytest.raises(ConfigError):
            export_bundle(tmp_path / "recipe.yaml")


def test_sentinel_is_a_second_graph_of_the_sense(own_sources: Path) -> None:
    before = own_sources / "before"
    shutil.copytree(own_sources / "thermal", before)
    card = json.loads((own_sources / "image" / "config.json").read_text())
    (before / "config.json").write_text(json.dumps(card))
    edit(own_sources, lambda recipe: recipe["senses"]["image"].update(sentinel="before"))
    report = export_bundle(own_sources / "recipe.yaml")
    assert set(report.parity) == {"image", "image-sentinel", "text"}
    bundle = rvl.Bundle.open(report.path)
    sense = bundle.manifest.senses[rvl.Modality.IMAGE]
    assert sense.sentinel is not None
    assert sense.sentinel.graph.sha256 != sense.graph.sha256
    assert "image sentinel checkpoint sha256" in bundle.manifest.provenance


def test_sentinel_that_is_fed_in_another_way_is_refused(own_sources: Path) -> None:
    before = own_sources / "before"
    shutil.copytree(own_sources / "image", before)
    card = json.loads((before / "config.json").read_text())
    card["preprocess"]["mean"] = [0.1, 0.1, 0.1]
    (before / "config.json").write_text(json.dumps(card))
    edit(own_sources, lambda recipe: recipe["senses"]["image"].update(sentinel="before"))
    with pytest.raises(CheckpointError, match="fed in another way"):
        export_bundle(own_sources / "recipe.yaml")
