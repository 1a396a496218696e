# SPDX-License-Identifier: Apache-2.0
"""Low-rank updates: both styles of names and the merged weights are one tower, by the formula."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from published_folders import (
    ALPHA,
    RANK,
    clips,
    config_of,
    image_weights,
    pictures,
    video_weights,
    write_config,
    write_safetensors,
)
from small_cards import image_card, video_card
from torch import Tensor

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers import inspect_checkpoint, open_checkpoint, text_fingerprint
from rvl_edge.offline.towers.published import Lora

WRAPPED = "vision_model.encoder.base_model.model.layers."
QUERY_B = WRAPPED + "1.self_attn.q_proj.lora_B.default.weight"


def _adapted(weights: dict[str, Tensor], attention: str, *, new: bool) -> dict[str, Tensor]:
    """The same weights with random updates, named as peft does."""
    generator = torch.Generator().manual_seed(11)
    module = re.compile(rf"vision_model\..*\.{attention}\.\w+_proj\.(weight|bias)")
    adapted = {}
    for name in sorted(weights):
        wrapped = name.replace("vision_model.encoder.layers.", WRAPPED)
        if not module.fullmatch(name):
            adapted[wrapped] = weights[name]
            continue
        path, kind = wrapped.rsplit(".", maxsplit=1)
        adapted[f"{path}.base_layer.{kind}" if new else wrapped] = weights[name]
        if kind == "weight":
            width = weights[name].shape[0]
            adapted[f"{path}.lora_A.default.weight"] = 0.1 * torch.randn(RANK, width, generator=generator)
            adapted[f"{path}.lora_B.default.weight"] = 0.1 * torch.randn(width, RANK, generator=generator)
    return adapted


def _merged(adapted: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """W + scale * B A in float64, under the names of layers that were never adapted."""
    merged = {}
    for name, value in adapted.items():
        if ".lora_" in name:
            continue
        stem, exact = name.removesuffix("weight"), value.double()
        if f"{stem}lora_A.default.weight" in adapted:
            down, up = (adapted[f"{stem}lora_{side}.default.weight"].double() for side in "AB")
            exact = exact + scale * up @ down
        merged[name.replace("base_model.model.", "")] = exact.float()
    return merged


def _image(folder: Path, weights: dict[str, Tensor], **vision: object) -> Path:
    write_config(folder, config_of(image_card(), **vision))
    write_safetensors(folder, weights)
    return folder


@pytest.mark.parametrize(("alpha", "scale"), [(16, 8.0), (2, 1.0)])
def test_both_styles_are_the_merged_weights(tmp_path: Path, alpha: float, scale: float) -> None:
    old, new = (_adapted(image_weights(), "self_attn", new=new) for new in (False, True))
    folders = [
        _image(tmp_path / "old", old, lora_r=RANK, lora_alpha=alpha),
        _image(tmp_path / "new", new, lora_r=RANK, lora_alpha=alpha),
        _image(tmp_path / "merged", _merged(old, scale)),
    ]
    with torch.no_grad():
        ours, theirs, merged = (open_checkpoint(folder).encode(pictures()) for folder in folders)
        untouched = open_checkpoint(_image(tmp_path / "base", image_weights())).encode(pictures())
    assert torch.equal(ours, theirs)
    assert (ours - merged).abs().max() <= 1e-6
    assert (ours - untouched).abs().max() > 1e-3
    assert inspect_checkpoint(folders[0]).lora == Lora(RANK, alpha)
    assert len({text_fingerprint(folder) for folder in folders}) == 1


def test_video_is_adapted_over_time(tmp_path: Path) -> None:
    old, new = (_adapted(video_weights(), "temporal_attn", new=new) for new in (False, True))
    embeddings = []
    for name, weights, rank in (("old", old, RANK), ("new", new, RANK), ("merged", _merged(old, 8.0), 0)):
        folder = write_config(tmp_path / name, config_of(video_card(), lora_r=rank))
        write_safetensors(folder, weights)
        with torch.no_grad():
            embeddings.append(open_checkpoint(folder).encode(clips()))
    assert torch.equal(embeddings[0], embeddings[1])
    assert (embeddings[0] - embeddings[2]).abs().max() <= 1e-6


def test_alpha_is_16_unless_the_config_says_otherwise(tmp_path: Path) -> None:
    adapted = _adapted(image_weights(), "self_attn", new=True)
    folder = _image(tmp_path / "image", adapted, lora_r=RANK)
    config = json.loads((folder / "config.json").read_text())
    del config["vision_config"]["lora_alpha"]
    write_config(folder, config)
    assert inspect_checkpoint(folder).lora == Lora(RANK, ALPHA)


def test_updates_of_half_precision_are_added_in_float32(tmp_path: Path) -> None:
    adapted = {
        name: value.half() for name, value in _adapted(image_weights(), "self_attn", new=False).items()
    }
    encoder = open_checkpoint(_image(tmp_path / "image", adapted, lora_r=RANK))
    name = "vision_model.encoder.layers.0.self_attn.v_proj.weight"
    expected = _merged(adapted, 8.0)[name]
    assert (encoder.state_dict()[name] - expected).abs().max() < 1e-6


def test_updates_that_the_config_does_not_know_of(tmp_path: Path) -> None:
    folder = _image(tmp_path / "image", _adapted(image_weights(), "self_attn", new=False), lora_r=0)
    with pytest.raises(CheckpointError, match=r"lora_r 0.*lora_A\.default\.weight; .*and 6 more"):
        open_checkpoint(folder)


def test_updates_that_the_weights_lack(tmp_path: Path) -> None:
    folder = _image(tmp_path / "image", image_weights(), lora_r=RANK)
    with pytest.raises(CheckpointError, match="lora_r 2 and the weights hold no low-rank updates"):
        open_checkpoint(folder)


def test_a_rank_that_is_not_the_configs(tmp_path: Path) -> None:
    folder = _image(tmp_path / "image", _adapted(image_weights(), "self_attn", new=True), lora_r=4)
    with pytest.raises(CheckpointError, match=r"lora_A\.default\.weight is \(2, 32\), not \(4, 32\)"):
        open_checkpoint(folder)


@pytest.mark.parametrize("side", ["A", "B"])
@pytest.mark.parametrize("new", [False, True])
def test_half_an_update(tmp_path: Path, side: str, new: bool) -> None:
    adapted = _adapted(image_weights(), "self_attn", new=new)
    del adapted[QUERY_B.replace("lora_B", f"lora_{side}")]
    folder = _image(tmp_path / "image", adapted, lora_r=RANK)
    with pytest.raises(CheckpointError, match=rf"missing .*layers\.1\.self_attn\.q_proj\.lora_{side}"):
        open_checkpoint(folder)


def test_a_layer_without_its_updates(tmp_path: Path) -> None:
    adapted = _adapted(image_weights(), "self_attn", new=True)
    for side in "AB":
        del adapted[QUERY_B.replace("lora_B", f"lora_{side}")]
    folder = _image(tmp_path / "image", adapted, lora_r=RANK)
    with pytest.raises(CheckpointError, match=r"missing .*layers\.1\.self_attn\.q_proj\.lora_A"):
        open_checkpoint(folder)


def test_an_update_of_no_layer(tmp_path: Path) -> None:
    adapted = _adapted(image_weights(), "self_attn", new=False)
    del adapted[QUERY_B.replace("lora_B.default.", "")]
    folder = _image(tmp_path / "image", adapted, lora_r=RANK)
    with pytest.raises(CheckpointError, match=r"missing .*layers\.1\.self_attn\.q_proj\.weight"):
        open_checkpoint(folder)


def test_a_corrupted_key_is_refused(tmp_path: Path) -> None:
    adapted = _adapted(image_weights(), "self_attn", new=True)
    adapted[QUERY_B.replace("q_proj", "q_prod")] = adapted.pop(QUERY_B)
    folder = _image(tmp_path / "image", adapted, lora_r=RANK)
    with pytest.raises(CheckpointError, match="q_prod"):
        open_checkpoint(folder)
