# SPDX-License-Identifier: Apache-2.0
"""The `config.json` of LanguageBind's published checkpoints, told in the terms of our cards.

A published config is a dump of transformers' configuration classes: a field it leaves out has the default of
the class, which is that of a base-size CLIP with the quick GELU. Where such a default is not what the weights
were made with, the check of the weights' shapes refuses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from rvl_edge._validation import complaints
from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers.card import (
    Activation,
    EncoderCard,
    Positive,
    TextCard,
    TextConfig,
    VisionConfig,
    named_card,
    parse_card,
    read_fields,
)
from rvl_edge.types import Modality

_MODEL_TYPES = {f"LanguageBind{modality.value.capitalize()}": modality for modality in Modality}

Count = Annotated[int, Field(ge=0)]
Scale = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Lora:
    """Low-rank updates that a checkpoint keeps apart: W + alpha / r * B @ A (Hu et al. 2022, section 4.1)."""

    r: int
    alpha: float


@dataclass(frozen=True)
class Published:
    """A published checkpoint: two towers in one set of weights.

    Attributes:
        encoder: the sense's encoder.
        text: the text encoder.
        lora: what the weights of the sense's tower are still to be merged with, if anything.
    """

    encoder: EncoderCard
    text: TextCard
    lora: Lora | None


class _Vision(VisionConfig):
    """`CLIPVisionConfig` with LanguageBind's additions; its defaults for sound fit no weights."""

    hidden_size: Positive = 768
    intermediate_size: Positive = 3072
    num_hidden_layers: Positive = 12
    num_attention_heads: Positive = 12
    image_size: Positive | tuple[Positive, Positive] = 224
    patch_size: Positive = 32
    hidden_act: Activation = "quick_gelu"
    clip_type: str = "vl"  # type: ignore[assignment]  # the training code has names for other senses, too
    num_channels: Positive = 3
    tube_size: Positive = 1
    lora_r: Count = 2
    lora_alpha: Scale = 16.0
    num_mel_bins: Count = 0
    target_length: Count = 0
    audio_sample_rate: Positive = 16000
    audio_mean: float = 0.5
    audio_std: Scale = 0.5
    max_depth: Annotated[float, Field(ge=0)] = 10.0


class _Text(TextConfig):
    """`CLIPTextConfig`."""

    hidden_size: Positive = 512
    intermediate_size: Positive = 2048
    num_hidden_layers: Positive = 12
    num_attention_heads: Positive = 8
    hidden_act: Activation = "quick_gelu"
    vocab_size: Positive = 49408
    max_position_embeddings: Positive = 77


def read_config(path: Path) -> EncoderCard | TextCard | Published:
    """Read the `config.json` of a checkpoint, LanguageBind's or one written here.

    Raises:
        CheckpointError: no such file, no JSON, a model that is none of LanguageBind's, or fields that are
            missing, out of range or at odds with each other; each is named.
    """
    fields = read_fields(path)
    if "model_type" in fields or "architectures" in fields:
        return parse_published(fields, path)
    return parse_card(fields, path)


def parse_published(fields: Mapping[str, Any], source: object) -> Published:
    """Understand the fields of a published config.

    Raises:
        CheckpointError: as `read_config`.
    """
    modality = _modality(fields, source)
    try:
        vision = _Vision.model_validate(_section(fields, "vision_config", source))
        text = _Text.model_validate(_section(fields, "text_config", source))
        _refuse_contradictions(vision, modality, source)
        size = fields.get("projection_dim", 512)  # vision_config has one too, which nothing reads
        return Published(
            encoder=EncoderCard.model_validate(
                {
                    "modality": modality,
                    "projection_dim": size,
                    "vision_config": _architecture(vision, modality),
                    "preprocess": _preprocess(vision, modality),
                }
            ),
            text=TextCard.model_validate({"projection_dim": size, "text_config": text.model_dump()}),
            lora=Lora(vision.lora_r, vision.lora_alpha) if vision.lora_r else None,
        )
    except ValidationError as error:
        raise CheckpointError(f"the config {source} cannot be used", got=complaints(error)) from None


def _modality(fields: Mapping[str, Any], source: object) -> Modality:
    classes = fields.get("architectures")
    stated = [fields.get("model_type"), *(classes[:1] if isinstance(classes, list) else [classes])]
    names = list(dict.fromkeys(str(name) for name in stated if name))
    if len(names) != 1 or names[0] not in _MODEL_TYPES:
        raise CheckpointError(
            f"model_type and architectures of {source} name no encoder of LanguageBind",
            got=" and ".join(names) or "nothing",
            expected=" or ".join(_MODEL_TYPES),
            fix="download one of the LanguageBind/LanguageBind_* repositories",
        )
    return _MODEL_TYPES[names[0]]


def _section(fields: Mapping[str, Any], name: str, source: object) -> dict[str, Any]:
    """A section with what old transformers wrote beside it, under `<name>_dict`, which counts for more."""
    section: dict[str, Any] = {}
    for key in (name, f"{name}_dict"):
        part = fields.get(key) or {}
        if not isinstance(part, dict):
            raise CheckpointError(
                f"{key} of {source} is no section", got=type(part).__name__, expected="a JSON object"
            )
        section |= part
    return section


def _refuse_contradictions(vision: _Vision, modality: Modality, source: object) -> None:
    def expect(field: str, got: object, expected: object) -> None:
        if got != expected:
            raise CheckpointError(
                f"vision_config.{field} of {source} is not that of a LanguageBind encoder for {modality}",
                got=got,
                expected=expected,
            )

    expect("num_channels", vision.num_channels, 3)
    expect("add_time_attn", vision.add_time_attn, modality is Modality.VIDEO)
    if modality is Modality.VIDEO:
        expect("tube_size", vision.tube_size, 1)
    if modality is Modality.AUDIO:
        for field in ("num_mel_bins", "target_length"):
            if not getattr(vision, field):
                expect(field, 0, "at least 1")
        for field in ("audio_mean", "audio_std"):
            if field not in vision.model_fields_set:
                expect(field, "none", "the one its training set was normalised with")
        if not isinstance(vision.image_size, int):
            expect("image_size", vision.image_size, (vision.num_mel_bins, vision.target_length))
    elif not isinstance(vision.image_size, int):
        expect("image_size", vision.image_size, (vision.image_size[0],) * 2)
    if modality is Modality.DEPTH and vision.max_depth == 0:
        expect("max_depth", "0, each picture over its own maximum", "metres")


def _architecture(vision: _Vision, modality: Modality) -> dict[str, Any]:
    fields = vision.model_dump(by_alias=True)
    if modality is Modality.AUDIO:  # the config states the square that its position table was resized from
        fields["image_size"] = (vision.num_mel_bins, vision.target_length)
    if modality is not Modality.VIDEO:
        fields |= {"num_frames": 1, "clip_type": "vl"}
    return fields


def _preprocess(vision: _Vision, modality: Modality) -> dict[str, Any]:
    """The package's card of the sense, with what the config states of it."""
    card = named_card(f"languagebind-{modality}")
    assert isinstance(card, EncoderCard)
    stated: dict[str, Any]
    if modality is Modality.AUDIO:
        stated = {
            "sample_rate": vision.audio_sample_rate,
            "num_mel_bins": vision.num_mel_bins,
            "target_length": vision.target_length,
            "mean": vision.audio_mean,
            "std": 2 * vision.audio_std,
        }
    else:
        size = vision.image_size if isinstance(vision.image_size, int) else vision.image_size[0]
        stated = {"size": size}
    if modality is Modality.DEPTH:
        stated["max_depth"] = vision.max_depth
    if modality is Modality.VIDEO:
        stated["num_frames"] = vision.num_frames
    return {**card.preprocess.model_dump(), **stated}
