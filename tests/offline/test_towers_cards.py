# SPDX-License-Identifier: Apache-2.0
"""The package's cards against what is known of the published checkpoints: sizes, keys and shapes, input."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest
import torch

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers import Encoder, EncoderCard, TextCard, TextEncoder, card, named_card
from rvl_edge.preprocess.spec import AudioSpec, DepthSpec, VideoSpec

LAYER, TEXT_LAYER = "vision_model.encoder.layers.23", "text_model.encoder.layers.11"
CLIP_NAMES = [
    "ViT-B-32",
    "ViT-B-16",
    "ViT-L-14",
    "ViT-B-32-quickgelu",
    "ViT-B-16-quickgelu",
    "ViT-L-14-quickgelu",
]


def _shapes(name: str) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        found = named_card(name)
        encoder = Encoder(found) if isinstance(found, EncoderCard) else TextEncoder(found)
    return {key: tuple(value.shape) for key, value in encoder.state_dict().items()}


def _blocks(width: int, hidden: int, count: int, *, attentions: int = 1) -> int:
    """Parameters of transformer blocks, each attention with its norm."""
    attention = 4 * (width + 1) * width + 2 * width
    return count * (attentions * attention + (width + 1) * hidden + (hidden + 1) * width + 2 * width)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("languagebind-image", 303.97),
        ("languagebind-thermal", 303.97),
        ("languagebind-depth", 303.97),
        ("languagebind-audio", 304.31),
        ("languagebind-audio-ft", 304.31),
        ("languagebind-video", 404.97),
        ("languagebind-video-ft", 404.97),
        ("languagebind-video-v1.5-ft", 404.98),
        ("languagebind-text", 123.65),
    ],
)
def test_the_towers_are_as_large_as_the_published_ones(name: str, millions: float) -> None:
    count = sum(torch.Size(shape).numel() for shape in _shapes(name).values())
    assert round(count / 1e6, 2) == millions


def test_the_huge_towers_are_open_clips_vit_h_with_attention_over_eight_frames() -> None:
    width, patches = 1280, 16 * 16
    embeddings = 8 * width + 3 * 14 * 14 * width + (patches + 1) * width
    temporal = _blocks(width, 5120, 32, attentions=2) + 32 * 8 * width
    vision = embeddings + 2 * width + temporal + 2 * width + width * 1024 + 1
    text = 49408 * 1024 + 77 * 1024 + _blocks(1024, 4096, 24) + 2 * 1024 + 1024 * 1024
    for name, count in (("languagebind-video-huge-v1.5-ft", vision), ("languagebind-text-huge", text)):
        assert sum(torch.Size(shape).numel() for shape in _shapes(name).values()) == count


def test_keys_and_shapes_are_those_of_the_published_weights() -> None:
    image, audio = _shapes("languagebind-image"), _shapes("languagebind-audio")
    video, newer = _shapes("languagebind-video"), _shapes("languagebind-video-v1.5-ft")
    text = _shapes("languagebind-text")
    positions = "vision_model.embeddings.position_embedding.weight"
    kernel = "vision_model.embeddings.patch_embedding.weight"
    first = "vision_model.embeddings.class_embedding"
    assert (image[positions], audio[positions]) == ((257, 1024), (593, 1024))
    assert (image[kernel], newer[kernel]) == ((1024, 3, 14, 14), (1024, 3, 1, 14, 14))
    assert (image[first], newer[first]) == ((1024,), (8, 1024))
    assert image["visual_projection.weight"] == (768, 1024)
    assert image["logit_scale"] == ()
    assert image.keys() == audio.keys()
    assert video.keys() == newer.keys()
    added = {key.removeprefix(f"{LAYER}.") for key in video.keys() - image.keys() if key.startswith(LAYER)}
    projections = {
        f"temporal_attn.{each}_proj.{kind}" for each in ("q", "k", "v", "out") for kind in ("weight", "bias")
    }
    norms = {"temporal_layer_norm1.weight", "temporal_layer_norm1.bias"}
    assert added == projections | norms | {"temporal_embedding"}
    assert len(video.keys() - image.keys()) == 24 * len(added)
    assert video[f"{LAYER}.temporal_embedding"] == (1, 8, 1024)
    assert text["text_model.embeddings.token_embedding.weight"] == (49408, 768)
    assert text["text_model.embeddings.position_embedding.weight"] == (77, 768)
    assert text[f"{TEXT_LAYER}.mlp.fc1.weight"] == (3072, 768)
    assert text["text_projection.weight"] == (768, 768)


def test_what_enters_each_encoder_is_what_it_was_trained_on() -> None:
    cards = {
        name: named_card(f"languagebind-{name}").preprocess
        for name in ("image", "thermal", "depth", "video", "audio")
    }
    for name in ("image", "thermal", "depth", "video"):
        spec = cards[name]
        assert (spec.kind, spec.size, spec.antialias) == (name, 224, False)
        assert spec.interpolation == ("bilinear" if name == "video" else "bicubic")
        assert spec.mean == open_clip.OPENAI_DATASET_MEAN
        assert spec.std == open_clip.OPENAI_DATASET_STD
    depth, video, audio = cards["depth"], cards["video"], cards["audio"]
    assert isinstance(depth, DepthSpec)
    assert (depth.min_depth, depth.max_depth) == (0.01, 10)
    assert isinstance(video, VideoSpec)
    assert video.num_frames == 8
    assert isinstance(audio, AudioSpec)
    assert (audio.num_mel_bins, audio.target_length, audio.sample_rate) == (112, 1036, 16000)
    assert (audio.frame_length_ms, audio.frame_shift_ms) == (25, 10)
    assert (audio.mean, audio.std) == (-4.2677393, 2 * 4.5689974)


@pytest.mark.parametrize("name", CLIP_NAMES)
def test_clip_cards_are_open_clips_configs(name: str) -> None:
    theirs = open_clip.get_model_config(name)
    stem = f"clip-{name.lower()}"
    image, text = named_card(stem), named_card(f"{stem}-text")
    assert isinstance(image, EncoderCard)
    assert isinstance(text, TextCard)
    act = "quick_gelu" if theirs.get("quick_gelu") else "gelu"
    vision, words = image.vision_config, text.text_config
    assert (image.projection_dim, text.projection_dim) == (theirs["embed_dim"],) * 2
    assert (vision.hidden_act, words.hidden_act) == (act, act)
    size = theirs["vision_cfg"]
    assert (vision.image_size, vision.patch_size) == (size["image_size"], size["patch_size"])
    assert (vision.hidden_size, vision.num_hidden_layers) == (size["width"], size["layers"])
    assert vision.num_attention_heads == size["width"] // size.get("head_width", 64)
    size = theirs["text_cfg"]
    assert (words.hidden_size, words.num_hidden_layers) == (size["width"], size["layers"])
    assert (words.num_attention_heads, words.intermediate_size) == (size["heads"], 4 * size["width"])
    assert (words.vocab_size, words.max_position_embeddings) == (size["vocab_size"], size["context_length"])
    assert image.preprocess.antialias  # CLIP resizes with Pillow, LanguageBind does not


def test_a_checkpoints_config_extends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"extends": "languagebind-image", "modality": "image"}))
    with pytest.raises(
        CheckpointError, match=r"projection_dim: Field required.*vision_config: Field required"
    ):
        card.parse_card(card.read_fields(path), path)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"[" * 100_000, b"1" * 10_000])
def test_a_file_that_is_no_card_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        card.parse_card(card.read_fields(path), path)


def test_a_folder_in_place_of_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        card.read_fields(tmp_path)
