# SPDX-License-Identifier: Apache-2.0
"""A recipe from sets to checkpoints that open again."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from rvl_edge.errors import CheckpointError, ConfigError
from rvl_edge.offline.datasets.cifar10 import CLASSES
from rvl_edge.offline.datasets.loading import FOLDERS
from rvl_edge.offline.pretraining.pretrain import CURVES_NAME, pretrain
from rvl_edge.offline.pretraining.recipe import PretrainRecipe, read_recipe
from rvl_edge.offline.towers import Encoder, open_checkpoint, save_checkpoint
from rvl_edge.text import Tokenizer
from rvl_edge.types import Modality

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four pictures a class, and eight chips a class."""
    random = np.random.default_rng(0)
    for name in CLASSES:
        folder = tmp_path / "data/cifar10/train" / name
        folder.mkdir(parents=True)
        for number in range(4):
            cv2.imwrite(str(folder / f"{number}.png"), random.integers(0, 255, (32, 32, 3)).astype(np.uint8))
    chips = random.integers(0, 255, (32, 64, 64)).astype(np.uint8)
    labels = np.array([0, 1, 2, 4] * 8, np.uint8)
    (tmp_path / "data/hit_uav_thermal").mkdir()
    path = tmp_path / "data/hit_uav_thermal/hit_uav_chips64_train.npz"
    np.savez(path, images=chips, labels=labels, frame=np.arange(32))
    return tmp_path / "data"


@pytest.fixture
def recipe(tmp_path: Path) -> PretrainRecipe:
    stage = {"epochs": 1, "batch_size": 8, "lr": 0.001}
    content = {
        "seed": 3,
        "text_card": "tiny-text",
        "label_sets": str(ROOT / "calibration/labels"),
        "stages": [
            {"modality": "image", "card": "tiny-image", **stage},
            {"modality": "thermal", "card": "tiny-thermal", "include_validation": True, **stage},
        ],
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(content))
    return read_recipe(tmp_path / "recipe.yaml")


def test_a_recipe_becomes_checkpoints_that_share_one_locked_text_tower(
    tmp_path: Path, data: Path, recipe: PretrainRecipe
) -> None:
    steps: list[tuple[Modality, int]] = []
    for senses in ([Modality.IMAGE], [Modality.THERMAL]):
        pretrain(
            recipe,
            data=data,
            run=tmp_path / "run",
            output=tmp_path / "out",
            senses=senses,
            report=lambda sense: lambda step, *_: steps.append((sense, step)),
        )
        text = (tmp_path / "out/text/model.safetensors").read_bytes()
        if senses == [Modality.IMAGE]:
            locked = text
    assert text == locked
    assert steps == [
        *((Modality.IMAGE, each) for each in range(1, 5)),
        *((Modality.THERMAL, each) for each in range(1, 5)),
    ]
    image, thermal = (open_checkpoint(tmp_path / "out" / name) for name in ("image", "thermal"))
    assert isinstance(image, Encoder)
    assert isinstance(thermal, Encoder)
    assert thermal.card.modality is Modality.THERMAL
    moved = [not torch.equal(value, thermal.state_dict()[name]) for name, value in image.state_dict().items()]
    assert sum(moved) > len(moved) / 2
    tokenizer = Tokenizer((tmp_path / "out/text/tokenizer.json").read_bytes(), 24)
    assert (tokenizer(["a dog"])[0, [0, 3]] == [8192, 8193]).all()
    assert cv2.imread(str(tmp_path / "run" / CURVES_NAME)) is not None


def test_a_snapshot_goes_on_elsewhere_but_not_from_another_recipe_or_other_files(
    tmp_path: Path, data: Path, recipe: PretrainRecipe
) -> None:
    labels, moved = tmp_path / "labels", tmp_path / "moved"
    shutil.copytree(recipe.label_sets, labels)
    recipe = recipe.model_copy(update={"label_sets": labels})

    def train(wanted: PretrainRecipe, data: Path) -> bytes:
        pretrain(
            wanted,
            data=data,
            run=tmp_path / "run",
            output=tmp_path / "out",
            senses=[Modality.IMAGE],
            report=lambda _: lambda *_: None,
        )
        return (tmp_path / "out/image/model.safetensors").read_bytes()

    first = train(recipe, data)
    image, thermal = recipe.stages
    for other in (
        {"text_scale": 10.0},
        {"stages": (image.model_copy(update={"lr": 0.05}), thermal)},
        {"stages": (image.model_copy(update={"epochs": 2}), thermal)},
    ):
        with pytest.raises(CheckpointError, match="of another recipe"):
            train(recipe.model_copy(update=other), data)
    shutil.copytree(labels, moved / "labels")
    shutil.copytree(data, moved / "data")
    elsewhere = recipe.model_copy(update={"label_sets": moved / "labels", "stages": (image,)})
    assert train(elsewhere, moved / "data") == first
    templates = (labels / "templates.yaml").read_text()
    for name, content in {
        "labels/templates.yaml": templates.replace("a photo of a {}", "a photo of one {}").encode(),
        "data/cifar10/train/dog/0.png": (data / "cifar10/train/cat/0.png").read_bytes(),
    }.items():
        kept = (moved / name).read_bytes()
        (moved / name).write_bytes(content)
        with pytest.raises(CheckpointError, match="of other files"):
            train(elsewhere, moved / "data")
        (moved / name).write_bytes(kept)


def test_a_later_stage_starts_from_the_first_ones_weights(
    tmp_path: Path, data: Path, recipe: PretrainRecipe
) -> None:
    def train(*senses: Modality) -> None:
        pretrain(
            recipe,
            data=data,
            run=tmp_path / "run",
            output=tmp_path / "out",
            senses=senses,
            report=lambda _: lambda *_: None,
        )

    train(Modality.IMAGE, Modality.THERMAL)
    encoder = open_checkpoint(tmp_path / "out/image")
    assert isinstance(encoder, Encoder)
    with torch.no_grad():
        encoder.logit_scale.add_(0.1)
    save_checkpoint(encoder, tmp_path / "out/image")
    with pytest.raises(CheckpointError, match="of other files"):
        train(Modality.THERMAL)


def test_a_card_of_another_sense_is_refused(tmp_path: Path, data: Path, recipe: PretrainRecipe) -> None:
    stage = recipe.stages[0].model_copy(update={"card": "tiny-thermal"})
    wrong = recipe.model_copy(update={"stages": (stage,)})
    with pytest.raises(ConfigError, match="tiny-thermal"):
        pretrain(
            wrong, data=data, run=tmp_path / "run", output=tmp_path / "out", report=lambda _: lambda *_: None
        )


def test_a_sense_without_a_stage_is_refused(tmp_path: Path, data: Path, recipe: PretrainRecipe) -> None:
    folders = {"data": data, "run": tmp_path / "run", "output": tmp_path / "out"}
    with pytest.raises(ConfigError, match=r"no stage .* got depth, expected image, thermal"):
        pretrain(recipe, **folders, senses=[Modality.DEPTH], report=lambda _: lambda *_: None)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"stages": []}, "stages"),
        ({"seed": "x"}, "seed"),
        ({"surprise": 1}, "surprise"),
        ({"stages": [{"modality": "smell"}]}, r"stages\.0\.modality"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused_by_field(
    tmp_path: Path, change: dict[str, object], named: str
) -> None:
    content = yaml.safe_load((ROOT / "export/pretrain-tiny.yaml").read_text())
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({**content, **change}))
    with pytest.raises(ConfigError, match=f"no recipe to pretrain by: got {named}: [^\n]*$"):
        read_recipe(tmp_path / "recipe.yaml")


def test_the_embedded_recipe_names_label_sets_that_exist() -> None:
    recipe = read_recipe(ROOT / "export/pretrain-tiny.yaml")
    assert recipe.label_sets == ROOT / "calibration/labels"
    assert recipe.stages[0].modality is Modality.IMAGE
    assert {stage.modality for stage in recipe.stages} == set(FOLDERS)
