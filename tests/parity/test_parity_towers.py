# SPDX-License-Identifier: Apache-2.0
"""Checkpoints in the reference's own layouts give its embeddings (see `golden.py`)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import seeded
import torch
from golden import DATA, STYLES, read_arrays, seeded_state, write_checkpoint
from our_side import apart, embed, preprocess
from reference_layouts import GOLDEN
from reference_samples import samples

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers import Encoder, open_checkpoint, open_text

LORA = [name for name, case in GOLDEN.items() if case.published.lora_r and "wide" not in name]
LORA_LAYER = "vision_model.encoder.base_model.model.layers.1"


@pytest.mark.parametrize("name", GOLDEN)
def test_an_encoder_gives_the_reference_embeddings(name: str, tmp_path: Path) -> None:
    layout, stored = GOLDEN[name].published, read_arrays(name)
    encoder = open_checkpoint(write_checkpoint(DATA / name, tmp_path))
    assert isinstance(encoder, Encoder)
    assert apart(embed(encoder, seeded.model_input(layout.input_shape())), stored["tower"]) < 1e-6
    batch = np.stack([preprocess(sample, encoder.card.preprocess) for sample in samples(layout.modality)])
    golden = np.stack([stored[f"embedding/{sample.name}"] for sample in samples(layout.modality)])
    assert apart(embed(encoder, batch), golden) < 1e-5


def test_texts_get_the_reference_embeddings(tmp_path: Path) -> None:
    golden, encoder = read_arrays("text"), open_text(write_checkpoint(DATA / "image", tmp_path))
    assert apart(embed(encoder, golden["ids"]), golden["text"]) < 1e-6


@pytest.mark.parametrize("name", LORA)
def test_low_rank_updates_weigh_the_same_however_they_are_filed(name: str, tmp_path: Path) -> None:
    pixels, state = seeded.model_input(GOLDEN[name].published.input_shape()), seeded_state(DATA / name)
    first, *others = (
        embed(open_checkpoint(write_checkpoint(DATA / name, tmp_path / style, state, style)), pixels)
        for style in STYLES
    )
    assert max(apart(first, other) for other in others) < 1e-6
    without = {key: torch.zeros_like(value) if "lora_B" in key else value for key, value in state.items()}
    bare = embed(open_checkpoint(write_checkpoint(DATA / name, tmp_path / "bare", without)), pixels)
    assert apart(first, bare) > 1e-3


CORRUPTIONS = {
    "missing": ("image", "vision_model.encoder.layers.1.self_attn.q_proj.bias", None),
    "half an update": ("thermal-lora", f"{LORA_LAYER}.self_attn.k_proj.lora_B.default.weight", None),
    "another rank": ("depth-lora", f"{LORA_LAYER}.self_attn.k_proj.lora_A.default.weight", (3, 64)),
    "a square of positions": ("audio-ft", "vision_model.embeddings.position_embedding.weight", (257, 64)),
    "fewer frames": ("video-ft", "vision_model.encoder.layers.0.temporal_embedding", (1, 4, 64)),
    "one class token": ("video-v1.5-ft", "vision_model.embeddings.class_embedding", (64,)),
    "a flat kernel": ("video-v1.5-ft", "vision_model.embeddings.patch_embedding.weight", (64, 3, 14, 14)),
}


@pytest.mark.parametrize(("name", "key", "shape"), CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_corrupted_key_is_refused_by_name(
    name: str, key: str, shape: tuple[int, ...] | None, tmp_path: Path
) -> None:
    state = seeded_state(DATA / name)
    del state[key]
    if shape is not None:
        state[key] = torch.ones(shape)
    folder = write_checkpoint(DATA / name, tmp_path, state)
    with pytest.raises(CheckpointError, match=re.escape(key.rpartition("model.")[2])):
        open_checkpoint(folder)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_misspelt_key_is_refused_with_both_its_names(name: str, tmp_path: Path) -> None:
    state = seeded_state(DATA / name)
    key = next(key for key in reversed(state) if key.endswith("mlp.fc1.weight"))
    state[key.replace("fc1", "fc3")] = state.pop(key)
    with pytest.raises(CheckpointError, match=r"mlp\.fc1\.weight.*mlp\.fc3\.weight"):
        open_checkpoint(write_checkpoint(DATA / name, tmp_path, state))


def test_the_reference_saved_again_is_read_alike(tmp_path: Path) -> None:
    """Its constructor turns `image_size` into a list, which it then cannot read itself."""
    folder = write_checkpoint(DATA / "audio-ft", tmp_path)
    config = json.loads((DATA / "audio-ft" / "config.json").read_text())
    config["vision_config"]["image_size"] = [112, 1036]
    (folder / "config.json").write_text(json.dumps(config))
    encoder = open_checkpoint(folder)
    assert apart(embed(encoder, seeded.model_input((3, 112, 1036))), read_arrays("audio-ft")["tower"]) < 1e-6
