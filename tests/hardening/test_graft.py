# SPDX-License-Identifier: Apache-2.0
"""A graft is a sum of weights; what the two senses do not share stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hardening_run import STAGE, small_encoder, write_problem

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.hardening.recipe import read_recipe
from rvl_edge.offline.hardening.scene import make_scenes
from rvl_edge.offline.towers import Encoder, save_checkpoint
from rvl_edge.offline.towers.initialisation import initialise

GRAFT = {"plain": "plain", "hardened": "hardened", "own": 0.25}
CPU = torch.device("cpu")


def saved(folder: Path, seed: int, **sizes: int) -> Encoder:
    like = small_encoder().card
    card = like.model_copy(update={"vision_config": like.vision_config.model_copy(update=sizes)})
    torch.manual_seed(seed)
    encoder = Encoder(card)
    initialise(encoder)
    with torch.no_grad():
        for each in encoder.parameters():
            each.add_(torch.randn_like(each) / 10)
    save_checkpoint(encoder, folder, dtype=torch.float32)
    return encoder


def test_shared_weights_are_the_hardened_ones_and_a_share_of_the_own(tmp_path: Path) -> None:
    recipe = read_recipe(write_problem(tmp_path, [STAGE], graft=GRAFT))
    plain = saved(tmp_path / "plain", 1, num_hidden_layers=1).state_dict()
    hardened = saved(tmp_path / "hardened", 2, num_hidden_layers=1).state_dict()
    own = saved(tmp_path / "checkpoint", 3, num_hidden_layers=2, intermediate_size=24).state_dict()
    (scene,) = make_scenes(recipe, CPU)
    for name, found in scene.student.state_dict().items():
        shared = name in plain and name != "logit_scale"
        wanted = hardened[name] + 0.25 * (own[name] - plain[name]) if shared else own[name]
        torch.testing.assert_close(found, wanted, msg=name)
    for name, found in scene.original.state_dict().items():
        torch.testing.assert_close(found, own[name], msg=name)


def test_weights_of_other_shapes_stay(tmp_path: Path) -> None:
    recipe = read_recipe(write_problem(tmp_path, [STAGE], graft=GRAFT))
    for number, name in enumerate(("plain", "hardened")):
        saved(tmp_path / name, number, intermediate_size=32)
    own = saved(tmp_path / "checkpoint", 3).state_dict()
    student = make_scenes(recipe, CPU)[0].student.state_dict()
    changed = {name for name in own if not torch.equal(own[name], student[name])}
    assert "vision_model.encoder.layers.0.self_attn.q_proj.weight" in changed
    assert "vision_model.encoder.layers.0.mlp.fc1.weight" not in changed


def test_the_grafts_ends_must_be_one_encoder(tmp_path: Path) -> None:
    recipe = read_recipe(write_problem(tmp_path, [STAGE], graft=GRAFT))
    saved(tmp_path / "plain", 1)
    saved(tmp_path / "hardened", 2, num_hidden_layers=2)
    with pytest.raises(CheckpointError, match="not of one encoder"):
        make_scenes(recipe, CPU)
