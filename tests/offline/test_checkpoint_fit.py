# SPDX-License-Identifier: Apache-2.0
"""Weights that do not fit their config are refused in the config's terms; unused keys are reported."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from published_folders import (
    config_of,
    image_folder,
    image_weights,
    video_weights,
    write_config,
    write_safetensors,
)
from small_cards import image_card, video_card

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers import (
    Encoder,
    TextEncoder,
    inspect_checkpoint,
    open_checkpoint,
    open_text,
    save_checkpoint,
    text_fingerprint,
)

LAYER = "vision_model.encoder.layers.1."


def test_unused_keys_are_reported(tmp_path: Path) -> None:
    extra = {
        "vision_model.embeddings.position_ids": torch.arange(17)[None],
        "text_model.embeddings.position_ids": torch.arange(12)[None],
        LAYER + "temporal_mlp.fc1.weight": torch.zeros(3, 2),
        LAYER + "temporal_layer_norm2.bias": torch.zeros(32),
    }
    folder = write_config(tmp_path / "video", config_of(video_card()))
    write_safetensors(folder, video_weights() | extra)
    assert isinstance(open_checkpoint(folder), Encoder)
    assert inspect_checkpoint(folder).ignored == tuple(sorted(extra))


@pytest.mark.parametrize("name", ["vision_model.position_idsx", LAYER + "temporal_mlpx.weight", "x"])
def test_what_only_looks_unused_is_not(tmp_path: Path, name: str) -> None:
    folder = image_folder(tmp_path)
    write_safetensors(folder, image_weights() | {name: torch.zeros(1)})
    with pytest.raises(CheckpointError, match=f"unexpected {name}"):
        open_checkpoint(folder)


def test_ten_faults_and_the_number_beyond(tmp_path: Path) -> None:
    folder = image_folder(tmp_path)
    kept = {name: value for name, value in image_weights().items() if not name.startswith(LAYER)}
    write_safetensors(folder, kept)
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder)
    text = str(error.value)
    assert "vision_config.num_hidden_layers: 2 in the config, 1 in the weights" in text
    assert text.count("missing ") == 10
    assert "and 6 more" in text


@pytest.mark.parametrize("name", sorted(image_weights()))
def test_no_key_may_be_missing(tmp_path: Path, name: str) -> None:
    folder = image_folder(tmp_path)
    weights = image_weights()
    del weights[name]
    write_safetensors(folder, weights)
    with pytest.raises(CheckpointError, match=f"missing {name}"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("section", "field", "stated", "told"),
    [
        (
            "vision_config",
            "hidden_size",
            64,
            "vision_config.hidden_size: 64 in the config, 32 in the weights",
        ),
        ("vision_config", "intermediate_size", 64, "vision_config.intermediate_size: 64"),
        ("vision_config", "num_hidden_layers", 3, "vision_config.num_hidden_layers: 3"),
        ("vision_config", "patch_size", 8, "vision_config.patch_size: 8"),
        (
            "vision_config",
            "image_size",
            32,
            "positions by vision_config.image_size: 65 .*, 17 in the weights",
        ),
        ("text_config", "hidden_size", 64, "text_config.hidden_size: 64"),
        ("text_config", "vocab_size", 49408, "text_config.vocab_size: 49408 in the config, 700"),
        ("text_config", "max_position_embeddings", 77, "text_config.max_position_embeddings: 77"),
        (None, "projection_dim", 512, "projection_dim: 512 in the config, 24 in the weights"),
    ],
)
def test_a_config_that_disagrees_is_told_by_its_field(
    tmp_path: Path, section: str | None, field: str, stated: int, told: str
) -> None:
    folder = image_folder(tmp_path)
    config = config_of(image_card())
    (config if section is None else config[section])[field] = stated
    write_config(folder, config)
    with pytest.raises(CheckpointError, match=told):
        open_checkpoint(folder)


def test_base_size_defaults_are_told(tmp_path: Path) -> None:
    """A config without sizes stands for transformers' defaults, which are a base-size CLIP's."""
    folder = image_folder(tmp_path)
    write_config(
        folder, {"model_type": "LanguageBindImage", "vision_config": {"lora_r": 0}, "text_config": {}}
    )
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder)
    for told in (
        "vision_config.hidden_size: 768 in the config, 32",
        "vision_config.patch_size: 32",
        "projection_dim: 512",
    ):
        assert told in str(error.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_frames": 8}, "vision_config.num_frames: 8 in the config, 4 in the weights"),
        ({"clip_type": "vl_new"}, "vision_config.clip_type: vl_new in the config, vl in the weights"),
    ],
)
def test_a_video_config_that_disagrees(tmp_path: Path, changes: dict[str, object], told: str) -> None:
    folder = write_config(tmp_path / "video", config_of(video_card(), **changes))
    write_safetensors(folder, video_weights())
    with pytest.raises(CheckpointError, match=told):
        open_checkpoint(folder)


def test_weights_of_another_sense(tmp_path: Path) -> None:
    folder = image_folder(tmp_path)
    write_safetensors(folder, video_weights())
    with pytest.raises(CheckpointError, match=r"vision_config\.add_time_attn: False in the config, True"):
        open_checkpoint(folder)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_numbers_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    folder = image_folder(tmp_path)
    weights = image_weights()
    weights["vision_model.post_layernorm.bias"][7] = bad
    weights["vision_model.embeddings.class_embedding"][:2] = torch.tensor([bad, -bad])
    write_safetensors(folder, weights)
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder)
    for name in ("post_layernorm.bias", "class_embedding"):
        assert f"{name} is not finite" in str(error.value)


def test_large_numbers_are_finite(tmp_path: Path) -> None:
    folder = image_folder(tmp_path)
    weights = image_weights()
    weights["vision_model.post_layernorm.bias"][:] = torch.finfo(torch.float32).max
    write_safetensors(folder, weights)
    open_checkpoint(folder)


def test_quantised_numbers_are_refused(tmp_path: Path) -> None:
    folder = image_folder(tmp_path)
    weights = image_weights()
    weights["visual_projection.weight"] = weights["visual_projection.weight"].to(torch.int8)
    write_safetensors(folder, weights)
    with pytest.raises(CheckpointError, match=r"visual_projection\.weight is of type torch\.int8"):
        open_checkpoint(folder)


def test_a_tower_may_be_left_out_as_a_whole(tmp_path: Path) -> None:
    """Then the other one opens, and whoever asks for the missing one is told."""
    weights = image_weights()
    vision = write_config(tmp_path / "vision", config_of(image_card()))
    write_safetensors(vision, {name: value for name, value in weights.items() if not name.startswith("text")})
    assert isinstance(open_checkpoint(vision), Encoder)
    assert inspect_checkpoint(vision).text is None
    for ask in (open_text, text_fingerprint):
        with pytest.raises(CheckpointError, match="no text encoder"):
            ask(vision)
    text = write_config(tmp_path / "text", config_of(image_card()))
    write_safetensors(text, {name: value for name, value in weights.items() if name.startswith("text")})
    assert isinstance(open_checkpoint(text), TextEncoder)
    assert isinstance(open_text(text), TextEncoder)


def test_both_halves_of_a_full_checkpoint(tmp_path: Path) -> None:
    folder = image_folder(tmp_path)
    report = inspect_checkpoint(folder)
    encoder, text = open_checkpoint(folder), open_text(folder)
    assert (encoder.card, text.card) == (report.encoder, report.text)
    assert encoder.logit_scale.item() == image_weights()["logit_scale"].item()
    assert (report.ignored, report.assumed, report.lora) == ((), (), None)
    given = image_weights()
    for name, value in (encoder.state_dict() | text.state_dict()).items():
        assert torch.equal(value, given.pop(name)), name
    assert not given


def test_a_written_text_encoder_has_the_fingerprint_it_came_with(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "image")
    save_checkpoint(open_text(folder), tmp_path / "text", dtype=torch.float32)
    assert text_fingerprint(tmp_path / "text") == text_fingerprint(folder)
