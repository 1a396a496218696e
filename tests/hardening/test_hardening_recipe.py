# SPDX-License-Identifier: Apache-2.0
"""Recipes: every arm in `export/` is read; what cannot be used is refused by the field's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hardening_run import ROOT, STAGE, train, write_problem

from rvl_edge.errors import CheckpointError, ConfigError
from rvl_edge.offline.hardening.objectives.rlbind import Rlbind
from rvl_edge.offline.hardening.recipe import read_recipe

RECIPES = [*(ROOT / "export/harden-tiny").glob("*.yaml"), ROOT / "export/harden-languagebind.yaml"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_arm_is_read_and_trained_as_long_as_the_others(path: Path) -> None:
    lengths = {}
    for arm in yaml.safe_load(path.read_text())["arms"]:
        recipe = read_recipe(path, arm)
        lengths[arm] = sum(each.epochs or each.steps or 0 for each in recipe.stages)
        assert len({each.attack for each in recipe.stages}) == 1
    if path.parent.name == "harden-tiny":
        assert recipe.checkpoint.is_dir()
        assert len(set(lengths.values())) == 1


@pytest.mark.parametrize(
    ("sense", "recipe", "arm"),
    [("image", "harden-tiny-image.yaml", None), ("video", "harden-tiny/video-in-stages.yaml", "rlbind")],
)
def test_embedded_encoders_come_from_their_recipes(sense: str, recipe: str, arm: str | None) -> None:
    made = json.loads((ROOT / "export/checkpoints/tiny-hardened" / sense / "hardening.json").read_text())
    assert read_recipe(ROOT / "export" / recipe, arm).sha256 == made["recipe sha256"]


def test_a_stage_is_filled_up_from_the_defaults(tmp_path: Path) -> None:
    recipe = write_problem(tmp_path, [])
    content = yaml.safe_load(recipe.read_text())
    del content["stages"]
    defaults = {key: value for key, value in STAGE.items() if key != "objective"}
    arms = {"a": [{"objective": {"name": "rlbind", "gamma": 0.4}, "lr": 0.5}]}
    recipe.write_text(yaml.safe_dump({**content, "defaults": defaults, "arms": arms}))
    (stage,) = read_recipe(recipe, "a").stages
    assert stage.objective == Rlbind(gamma=0.4)
    assert stage.attack.eps == pytest.approx(8 / 255)
    assert (stage.lr, stage.batch_size) == (0.5, STAGE["batch_size"])
    with pytest.raises(ConfigError, match=r"several arms.*got b.*expected a.*--arm"):
        read_recipe(recipe, "b")


STAGE_FAULTS = [
    ({"objective": {"name": "fair"}}, "name a method"),
    ({"objective": {"name": "fare", "gamma": 1}}, "no setting gamma"),
    ({"objective": {"name": "rlbind", "anchor": "dot"}}, "anchor"),
    ({"objective": {"name": "rlbind", "clean": 2.0}}, "less than or equal to 1"),
    ({"objective": {"name": "rlbind", "lam_f": float("nan")}}, "finite"),
    ({"objective": {"name": "lore", "dual_every": 0}}, "greater than or equal to 1"),
    ({"attack": {"eps": "4/0", "step_size": 0.1}}, "eps"),
    ({"attack": {"eps": 4, "step_size": 0.1}}, "eps"),
    ({"epochs": 3}, "either epochs or steps"),
    ({"learning_rate": 3}, "learning_rate"),
    ({"precision": "float16"}, "precision"),
]


@pytest.mark.parametrize(("change", "complaint"), STAGE_FAULTS)
def test_a_stage_that_cannot_be_used_is_refused(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    recipe = write_problem(tmp_path, [{**STAGE, **change}])
    with pytest.raises(ConfigError, match=complaint):
        read_recipe(recipe)


FAULTS = [
    ({"modality": "smell"}, "modality"),
    ({"modality": "audio", "data": None}, "another|not what the recipe hardens"),
    ({"modality": "thermal"}, "pictures: modality image"),
    ({"label_set": ["colours", "colours"]}, "one label each: name one label_set"),
    ({"label_set": "shapes"}, "no such label set.*got shapes.*expected colours"),
    ({"checkpoint": "nowhere"}, "nowhere"),
    ({"lora": {"rank": 2}}, "adamw"),
    ({"data": {"form": "folder", "train": "nowhere", "validation": "validation"}}, "nowhere"),
    ({"data": {"form": "zip", "train": "a", "validation": "b"}}, "form|zip"),
    ({"surprise": 1}, "surprise"),
]


@pytest.mark.parametrize(("change", "complaint"), FAULTS)
def test_a_recipe_that_cannot_be_used_is_refused(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    recipe = write_problem(tmp_path, [STAGE], **change)
    if change.get("modality") == "audio":
        templates = tmp_path / "labels/templates.yaml"
        templates.write_text(yaml.safe_dump({"image": ["{}"], "audio": ["{}"]}))
    with pytest.raises((ConfigError, CheckpointError), match=complaint):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run/out").exists()


@pytest.mark.parametrize("content", ["a: [", "- 1", None])
def test_what_is_no_recipe_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "recipe.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"recipe|YAML"):
        read_recipe(path)


def test_layers_that_are_not_there_get_no_low_rank_updates(tmp_path: Path) -> None:
    stage = {**STAGE, "optimiser": "adamw"}
    recipe = write_problem(tmp_path, [stage], lora={"rank": 2, "targets": ["q_proj", "qkv"]})
    with pytest.raises(ConfigError, match="qkv"):
        train(recipe, tmp_path / "run")


def test_low_rank_updates_are_not_kept_in_part(tmp_path: Path) -> None:
    stage = {**STAGE, "optimiser": "adamw", "keep": 0.5}
    with pytest.raises(ConfigError, match="leave one out"):
        read_recipe(write_problem(tmp_path, [stage], lora={"rank": 2}))
