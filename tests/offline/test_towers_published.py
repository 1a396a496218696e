# SPDX-License-Identifier: Apache-2.0
"""LanguageBind's own config.json: understood as the package's cards state it, or refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_cards import image_card, text_card

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers import EncoderCard, TextCard, named_card
from rvl_edge.offline.towers.published import Lora, Published, parse_published, read_config

Read = Callable[[dict[str, Any]], EncoderCard | TextCard | Published]

# The vision_config that transformers 4.45 prints of LanguageBind_Audio_FT.
AUDIO_FT = {
    "_name_or_path": "./model/LanguageBind_Audio_FT",
    "add_time_attn": False,
    "attention_dropout": 0.0,
    "audio_mean": -4.2677393,
    "audio_sample_rate": 16000,
    "audio_std": 4.5689974,
    "force_patch_dropout": 0.0,
    "hidden_act": "gelu",
    "hidden_size": 1024,
    "image_size": 224,
    "initializer_factor": 1.0,
    "initializer_range": 0.02,
    "intermediate_size": 4096,
    "layer_norm_eps": 1e-05,
    "lora_alpha": 16,
    "lora_dropout": 0.0,
    "lora_r": 0,
    "model_type": "clip_vision_model",
    "num_attention_heads": 16,
    "num_channels": 3,
    "num_frames": 1,
    "num_hidden_layers": 24,
    "num_mel_bins": 112,
    "patch_size": 14,
    "projection_dim": 512,
    "target_length": 1036,
    "transformers_version": "4.45.2",
    "video_decode_backend": "decord",
}
LARGE = {key: value for key, value in AUDIO_FT.items() if "audio" not in key} | {
    "num_mel_bins": 0.0,
    "target_length": 0.0,
}
HUGE = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32}
VIDEO = {**LARGE, "add_time_attn": True, "num_frames": 8}
NEWER = {**VIDEO, "clip_type": "vl_new", "tube_size": 1}
TEXT = {"hidden_act": "gelu", "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
HUGE_TEXT = {
    **TEXT,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_read(fields: dict[str, Any]) -> EncoderCard | TextCard | Published:
        (tmp_path / "config.json").write_text(json.dumps(fields))
        return read_config(tmp_path / "config.json")

    return write_and_read


def config(sense: str, vision: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A published config of the sense, as `Image`."""
    name = f"LanguageBind{sense}"
    return {
        "architectures": [name],
        "model_type": name,
        "projection_dim": 768,
        "text_config": TEXT,
        "vision_config": vision,
        **more,
    }


@pytest.mark.parametrize(
    ("name", "text", "fields"),
    [
        ("image", "text", config("Image", LARGE)),
        ("thermal", "text", config("Thermal", LARGE)),
        ("depth", "text", config("Depth", {**LARGE, "max_depth": 10})),
        ("audio", "text", config("Audio", {**AUDIO_FT, "lora_r": 16})),
        ("audio-ft", "text", config("Audio", AUDIO_FT)),
        ("audio-ft", "text", config("Audio", {**AUDIO_FT, "image_size": [112, 1036]})),
        ("video", "text", config("Video", {**VIDEO, "lora_r": 16})),
        ("video-ft", "text", config("Video", VIDEO)),
        ("video-v1.5-ft", "text", config("Video", NEWER)),
        (
            "video-huge-v1.5-ft",
            "text-huge",
            config("Video", {**NEWER, **HUGE}, projection_dim=1024, text_config=HUGE_TEXT),
        ),
    ],
)
def test_every_published_config_gives_the_packages_card(
    read: Read, name: str, text: str, fields: dict[str, Any]
) -> None:
    published = read(fields)
    assert isinstance(published, Published)
    assert published.encoder == named_card(f"languagebind-{name}")
    assert published.text == named_card(f"languagebind-{text}")


@pytest.mark.parametrize(
    ("stated", "lora"),
    [
        ({"lora_r": 2, "lora_alpha": 16}, Lora(2, 16)),
        ({"lora_r": 16, "lora_alpha": 8}, Lora(16, 8)),
        ({"lora_r": 0}, None),
    ],
)
def test_low_rank_updates_are_told(read: Read, stated: dict[str, int], lora: Lora | None) -> None:
    published = read(config("Thermal", {**LARGE, **stated}))
    assert isinstance(published, Published)
    assert published.lora == lora


def test_what_a_config_leaves_out_is_a_base_clip_with_low_rank_updates(read: Read) -> None:
    published = read({"architectures": ["LanguageBindDepth"], "vision_config": None})
    assert isinstance(published, Published)
    base, text = named_card("clip-vit-b-32-quickgelu"), named_card("clip-vit-b-32-quickgelu-text")
    assert isinstance(base, EncoderCard)
    assert published.encoder.vision_config == base.vision_config
    assert published.text == text
    assert published.lora == Lora(2, 16)
    assert published.encoder.preprocess == named_card("languagebind-depth").preprocess


def test_what_a_config_states_of_the_input_counts(read: Read) -> None:
    louder = {**AUDIO_FT, "audio_mean": -5.0, "audio_std": 2.0, "num_mel_bins": 126, "target_length": 504}
    audio = read(config("Audio", louder)).encoder
    assert (audio.preprocess.mean, audio.preprocess.std) == (-5, 4)
    assert audio.vision_config.grid == (9, 36)
    depth = read(config("Depth", {**LARGE, "max_depth": 20, "image_size": [336, 336]})).encoder
    assert (depth.preprocess.max_depth, depth.preprocess.size) == (20, 336)
    video = read(config("Video", {**VIDEO, "num_frames": 16})).encoder
    assert video.preprocess.num_frames == video.vision_config.num_frames == 16


def test_a_section_of_old_transformers_counts_for_more(read: Read) -> None:
    old = {"hidden_act": "quick_gelu"}
    published = read(config("Image", LARGE, vision_config_dict=old, text_config_dict=None))
    assert published.encoder.vision_config.hidden_act == "quick_gelu"
    assert published.encoder.vision_config.hidden_size == 1024
    assert published.text == named_card("languagebind-text")


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in names}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (config("Smell", LARGE), "got LanguageBindSmell, expected LanguageBindImage or"),
        (
            config("Image", LARGE, architectures=["LanguageBindDepth"]),
            "LanguageBindImage and LanguageBindDepth",
        ),
        (config("Image", LARGE, model_type=["LanguageBindImage"], architectures=None), "name no encoder"),
        ({"model_type": "clip", "architectures": ["CLIPModel"]}, "clip and CLIPModel"),
        (config("Image", {**LARGE, "num_attention_heads": 15}), "15 heads do not divide hidden_size 1024"),
        (config("Image", LARGE, text_config={**TEXT, "num_attention_heads": 7}), "7 heads"),
        (
            config("Image", {**LARGE, "hidden_act": "relu"}),
            "hidden_act: Input should be 'gelu' or 'quick_gelu'",
        ),
        (config("Image", {**LARGE, "hidden_size": "wide"}), "hidden_size: Input should be a valid integer"),
        (config("Image", {**LARGE, "num_channels": 4}), "num_channels of .*got 4, expected 3"),
        (
            config("Image", {**LARGE, "image_size": [224, 448]}),
            r"image_size of .*got \(224, 448\), expected \(224, 224\)",
        ),
        (config("Image", {**LARGE, "add_time_attn": True}), "add_time_attn of .*got True, expected False"),
        (config("Video", LARGE), "add_time_attn of .*got False, expected True"),
        (config("Video", {**NEWER, "tube_size": 2}), "tube_size of .*got 2, expected 1"),
        (config("Video", {**NEWER, "clip_type": "vl_newest"}), "clip_type: Input should be 'vl' or 'vl_new'"),
        (config("Audio", _without(AUDIO_FT, "audio_mean")), "audio_mean of .*got none"),
        (config("Audio", _without(AUDIO_FT, "audio_std")), "audio_std of .*got none"),
        (config("Audio", _without(AUDIO_FT, "num_mel_bins")), "num_mel_bins of .*got 0, expected at least 1"),
        (config("Audio", {**AUDIO_FT, "target_length": 0}), "target_length of .*got 0"),
        (
            config("Audio", {**AUDIO_FT, "image_size": [224, 224]}),
            r"image_size of .*got \(224, 224\), expected \(112, 1036\)",
        ),
        (config("Depth", {**LARGE, "max_depth": 0}), "max_depth of"),
        (config("Image", LARGE, projection_dim=0), "projection_dim"),
        (config("Image", LARGE, text_config=[1]), "text_config of .*got list, expected a JSON object"),
        ([1], "got list, expected a JSON object"),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(read: Read, fields: Any, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        read(fields)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SECTIONS = ("vision_config", "text_config")


@given(
    st.sampled_from(["Image", "Thermal", "Depth", "Audio", "Video"]),
    st.sampled_from([None, *SECTIONS]),
    st.sampled_from(
        [*AUDIO_FT, *TEXT, *SECTIONS, "vision_config_dict", "max_depth", "clip_type", "tube_size"]
    ),
    JSON,
)
def test_any_value_in_any_field_is_read_or_refused(
    sense: str, section: str | None, field: str, value: Any
) -> None:
    fields = config(sense, {**AUDIO_FT, "add_time_attn": sense == "Video"})
    if section is None:
        fields[field] = value
    else:
        fields[section] = {**fields[section], field: value}
    try:
        published = parse_published(json.loads(json.dumps(fields)), "a config")
    except CheckpointError:
        return
    assert published.encoder.modality.value == sense.lower()


def test_configs_written_here_are_read_as_cards(read: Read) -> None:
    for card in (image_card(), text_card()):
        assert read(json.loads(card.model_dump_json(by_alias=True))) == card
