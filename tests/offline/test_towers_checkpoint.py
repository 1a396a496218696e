# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: what is written comes back, and what does not fit is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from small_cards import image_card, randomised, text_card

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers import Encoder, TextEncoder, named_card, open_checkpoint, save_checkpoint
from rvl_edge.offline.towers.card import CARDS

QUERY = "vision_model.encoder.layers.1.self_attn.q_proj.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(randomised(Encoder(image_card())), tmp_path / "image")
    return tmp_path / "image"


def test_half_precision_weights_come_back(folder: Path) -> None:
    wrote, read = randomised(Encoder(image_card())), open_checkpoint(folder)
    assert read.card == wrote.card
    assert not read.training
    for name, value in wrote.state_dict().items():
        assert torch.equal(read.state_dict()[name], value.half().float()), name


def test_the_keys_are_languagebinds(folder: Path) -> None:
    names = set(safetensors.torch.load_file(folder / "model.safetensors"))
    assert {
        "logit_scale",
        "vision_model.embeddings.class_embedding",
        "vision_model.embeddings.patch_embedding.weight",
        "vision_model.embeddings.position_embedding.weight",
        "vision_model.pre_layrnorm.weight",
        "vision_model.post_layernorm.bias",
        "vision_model.encoder.layers.0.mlp.fc1.weight",
        "vision_model.encoder.layers.0.layer_norm2.bias",
        QUERY,
        "visual_projection.weight",
    } <= names


def test_a_text_checkpoint_carries_its_tokenizer(tmp_path: Path) -> None:
    save_checkpoint(randomised(TextEncoder(text_card())), tmp_path / "text", tokenizer='{"a": 1}')
    assert isinstance(open_checkpoint(tmp_path / "text"), TextEncoder)
    assert json.loads((tmp_path / "text/tokenizer.json").read_text()) == {"a": 1}


def test_every_key_that_does_not_fit_is_named(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = safetensors.torch.load_file(path)
    weights["vision_model.encoder.layers.0.temporal_norm.weight"] = torch.zeros(2)
    weights[QUERY] = weights[QUERY][:3].contiguous()
    del weights["visual_projection.weight"]
    safetensors.torch.save_file(weights, path)
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder)
    for fault in (
        "missing visual_projection.weight",
        "unexpected vision_model.encoder",
        f"{QUERY} is (3, 32)",
    ):
        assert fault in str(error.value)


def test_position_ids_of_old_files_are_passed_over(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = safetensors.torch.load_file(path)
    weights["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    safetensors.torch.save_file(weights, path)
    assert isinstance(open_checkpoint(folder), Encoder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b""),
        ("config.json", b"[1]"),
        ("config.json", b'{"modality": "smell"}'),
        ("model.safetensors", b"\xff" * 64),
        ("config.json", None),
        ("model.safetensors", None),
    ],
)
def test_broken_and_absent_files_are_checkpoint_errors(
    folder: Path, name: str, content: bytes | None
) -> None:
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError):
        open_checkpoint(folder)


def test_heads_that_do_not_divide_the_width_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["num_attention_heads"] = 5
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="5 heads"):
        open_checkpoint(folder)


@pytest.mark.parametrize("name", sorted(path.stem for path in CARDS.glob("*.json")))
def test_every_card_of_the_package_can_be_built(name: str) -> None:
    card = named_card(name)
    with torch.device("meta"):
        encoder = Encoder(card) if hasattr(card, "vision_config") else TextEncoder(card)
    assert sum(each.numel() for each in encoder.parameters()) > 1_000_000


def test_an_unknown_card_names_those_there_are() -> None:
    with pytest.raises(CheckpointError, match="tiny-image"):
        named_card("huge-smell")
