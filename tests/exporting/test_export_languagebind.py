# SPDX-License-Identifier: Apache-2.0
"""Full checkpoints as LanguageBind publishes them -> bundle: one text tower, any text, real samples."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
import yaml
from export_sources import DIM, LABELS, write_languagebind
from typer.testing import CliRunner

import rvl_edge as rvl
from rvl_edge.cli.main import app
from rvl_edge.errors import BundleError, BundleNotFound, CheckpointError, ConfigError
from rvl_edge.offline.exporting import writing
from rvl_edge.offline.exporting.export import export_bundle
from rvl_edge.offline.exporting.sources import Sources
from rvl_edge.offline.towers import CheckpointReport
from rvl_edge.offline.towers.checkpoint import open_text


def write_recipe(home: Path, *senses: str, **changes: object) -> Path:
    sets = {"image": "objects", "thermal": "thermal-objects"}
    recipe = {
        "name": "languagebind",
        "version": "1",
        "out": "bundle",
        "senses": {sense: {"checkpoint": sense, "label_set": sets[sense]} for sense in senses},
        "text": senses[0],
        "labels": str(LABELS),
        "open_vocabulary": True,
        "model_card": "CARD.md",
        "parity": {"samples": 4},
        **changes,
    }
    (home / "CARD.md").write_text("# Random\n")
    path = home / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.fixture
def image_home(tmp_path: Path) -> Path:
    write_languagebind(tmp_path / "image", "image")
    return tmp_path


def pictures(folder: Path, count: int = 5) -> None:
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for at in range(count):
        cv2.imwrite(str(folder / f"{at}.png"), random.integers(0, 256, (20, 30, 3), np.uint8))


def with_position_ids(checkpoint: Path) -> str:
    """Add a buffer that old checkpoints have; returns its key."""
    weights, key = checkpoint / "model.safetensors", "text_model.embeddings.position_ids"
    tensors = safetensors.torch.load_file(weights)
    safetensors.torch.save_file({**tensors, key: torch.arange(24)[None]}, weights)
    return key


def test_senses_share_a_text_tower_that_knows_any_label(tmp_path: Path) -> None:
    write_languagebind(tmp_path / "image", "image")
    write_languagebind(tmp_path / "thermal", "thermal", seed=1)
    beyond = with_position_ids(tmp_path / "thermal")
    pictures(tmp_path / "samples" / "image")
    recipe = write_recipe(
        tmp_path, "image", "thermal", parity={"samples": 4, "files": "samples"}, precision="float16"
    )
    report = export_bundle(recipe)
    assert {name: each.source for name, each in report.parity.items()} == {
        "text": "prompts of the label sets",
        "image": "files",
        "thermal": "made up",
    }
    assert (report.ignored, report.assumed) == ({str(tmp_path / "thermal"): (beyond,)}, {})
    assert report.parity["image"].top1_agreement is not None
    manifest = rvl.Bundle.open(report.path).manifest
    assert {entry.precision for entry in manifest.graphs()} == {"float16"}
    stored = json.loads((report.path / manifest.reports["parity"].path).read_text())
    assert stored["onnxruntime"]["image"]["cosine_min"] == report.parity["image"].cosine_min
    with rvl.Perceiver.open(report.path) as perceiver, warnings.catch_warnings():
        warnings.simplefilter("error")
        perceiver.set_labels(["forklift", "a word that nobody ever wrote down"])
        assert perceiver.anchors("image").untrained == ()
        seen = perceiver.image(np.full((20, 20, 3), 90, np.uint8))
        assert seen.embedding.shape == (DIM,)
        tower = open_text(tmp_path / "image")
        from rvl_edge.offline.towers.folder_tokenizer import read_tokenizer
        from rvl_edge.text import Tokenizer

        ids = Tokenizer(read_tokenizer(tmp_path / "image").encode(), 24)(["a forklift"])
        with torch.inference_mode():
            wanted = tower(torch.from_numpy(ids)).numpy()
        np.testing.assert_allclose(perceiver.embed_text(["a forklift"]), wanted, atol=3e-3)


def test_what_a_checkpoint_has_beyond_its_towers_is_said(image_home: Path) -> None:
    key = with_position_ids(image_home / "image")
    done = CliRunner().invoke(app, ["export", str(write_recipe(image_home, "image"))])
    assert f"{image_home / 'image'}: passed over {key}" in done.stdout.splitlines()


def test_what_a_checkpoint_lacks_is_reported_with_what_stands_in() -> None:
    whole = CheckpointReport(None, None, None, ignored=(), assumed=())
    towers = {Path("whole"): whole, Path("part"): replace(whole, assumed=("logit_scale of 1",))}
    assert Sources({}, towers).assumed == {"part": ("logit_scale of 1",)}


def test_senses_of_two_text_towers_are_refused(tmp_path: Path) -> None:
    write_languagebind(tmp_path / "image", "image")
    write_languagebind(tmp_path / "thermal", "thermal", text_seed=10)
    with pytest.raises(CheckpointError, match="bound to another text tower"):
        export_bundle(write_recipe(tmp_path, "image", "thermal"))


def test_checkpoint_of_another_sense(image_home: Path) -> None:
    write_languagebind(image_home / "thermal", "thermal")
    recipe = write_recipe(image_home, "image", "thermal")
    fields = yaml.safe_load(recipe.read_text())
    fields["senses"]["thermal"]["checkpoint"] = "image"
    recipe.write_text(yaml.safe_dump(fields))
    with pytest.raises(CheckpointError, match="no thermal encoder"):
        export_bundle(recipe)
    with pytest.raises(BundleNotFound):
        rvl.Bundle.open(image_home / "bundle")


@pytest.mark.parametrize("fault", ["missing", "few", "no picture"])
def test_samples_that_cannot_be_compared_on(image_home: Path, fault: str) -> None:
    folder = image_home / "samples" / "image"
    if fault != "missing":
        pictures(folder, 3 if fault == "few" else 4)
    if fault == "no picture":
        (folder / "notes.txt").write_text("mine")
    recipe = write_recipe(image_home, "image", parity={"samples": 8, "files": "samples"})
    named = {"missing": "not there", "few": "too few", "no picture": r"notes\.txt"}[fault]
    with pytest.raises(ConfigError, match=named):
        export_bundle(recipe)
    assert not (image_home / "bundle").exists()


def test_weights_stored_in_two_ways_are_refused(image_home: Path) -> None:
    recipe = write_recipe(image_home, "image", precision="float16", weights="float16")
    with pytest.raises(ConfigError, match="weights"):
        export_bundle(recipe)


def test_weights_beside_the_graph_reach_the_perceiver(
    image_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "LARGEST_FILE", 1000)
    report = export_bundle(write_recipe(image_home, "image"))
    assert (report.path / "graphs/image.onnx.data").is_file()
    assert rvl.verify(report.path).ok
    with rvl.Perceiver.open(report.path) as perceiver:
        assert np.isfinite(perceiver.image(np.full((20, 20, 3), 90, np.uint8)).embedding).all()


def test_disk_that_fills_up_leaves_nothing_half_written(
    image_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    before = sorted(path.name for path in image_home.iterdir())
    monkeypatch.setattr("rvl_edge.bundle.writing.BundleWriter.path", lambda self, name: Path("/dev/full"))
    recipe = write_recipe(image_home, "image")
    with pytest.raises(BundleError, match="No space left"):
        export_bundle(recipe)
    assert sorted(path.name for path in image_home.iterdir()) == sorted([*before, "CARD.md", "recipe.yaml"])


KILLED = """
import os, signal, sys
from rvl_edge.offline.exporting.export import export_bundle
def die(graph, done, total, note):
    if graph == "image" and note == "exporting":
        os.kill(os.getpid(), signal.SIGKILL)
export_bundle(sys.argv[1], on_step=die)
"""


def test_killed_in_the_middle_there_is_no_bundle_and_the_next_export_tidies_up(image_home: Path) -> None:
    recipe = write_recipe(image_home, "image")
    done = subprocess.run([sys.executable, "-c", KILLED, str(recipe)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (image_home / "bundle").exists()
    assert list(image_home.glob(".bundle.*.partial")) != []
    assert rvl.verify(export_bundle(recipe).path).ok
    assert list(image_home.glob(".bundle.*.partial")) == []
