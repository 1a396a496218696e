# SPDX-License-Identifier: Apache-2.0
"""Configs of CLIP checkpoints that are not LanguageBind's: open_clip's, and Hugging Face's `CLIPModel`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rvl_edge._validation import complaints
from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers.card import (
    EncoderCard,
    Positive,
    TextCard,
    TextConfig,
    VisionConfig,
    read_fields,
)
from rvl_edge.offline.towers.published import Published, parse_published, read_config
from rvl_edge.preprocess.spec import ImageSpec, Triple
from rvl_edge.types import Modality

CONFIG_NAME, OPEN_CLIP_CONFIG_NAME = "config.json", "open_clip_config.json"

_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_Ratio = Annotated[float, Field(gt=0)]


class _Strict(BaseModel):
    """Fields of open_clip's that are not listed change the architecture, so they are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _OpenClipVision(_Strict):
    layers: Positive = 12
    width: Positive = 768
    head_width: Positive = 64
    mlp_ratio: _Ratio = 4.0
    patch_size: Positive = 16
    image_size: Positive = 224
    patch_dropout: float = 0.0
    pool_type: Literal["tok"] = "tok"
    output_tokens: bool = False


class _OpenClipText(_Strict):
    context_length: Positive = 77
    vocab_size: Positive = 49408
    width: Positive = 512
    heads: Positive = 8
    layers: Positive = 12
    mlp_ratio: _Ratio = 4.0
    pool_type: Literal["argmax"] = "argmax"
    output_tokens: bool = False


class _OpenClipModel(_Strict):
    embed_dim: Positive
    quick_gelu: bool = False
    custom_text: bool = False
    init_logit_scale: float | None = None
    vision_cfg: _OpenClipVision
    text_cfg: _OpenClipText


class _OpenClipPreprocess(BaseModel):
    mean: Triple = _CLIP_MEAN
    std: Triple = _CLIP_STD
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    resize_mode: Literal["shortest"] = "shortest"


class _OpenClip(BaseModel):
    model_cfg: _OpenClipModel
    preprocess_cfg: _OpenClipPreprocess = _OpenClipPreprocess()


def read_folder_config(folder: Path) -> EncoderCard | TextCard | Published:
    """Read the config of a checkpoint folder: `config.json`, else `open_clip_config.json`.

    Raises:
        CheckpointError: neither is there, or the one that is cannot be used.
    """
    path = folder / CONFIG_NAME
    if not path.is_file() and (folder / OPEN_CLIP_CONFIG_NAME).is_file():
        return _read_open_clip(folder / OPEN_CLIP_CONFIG_NAME)
    if path.is_file() and read_fields(path).get("model_type") == "clip":
        return _read_clip(path)
    return read_config(path)


def _read_clip(path: Path) -> Published:
    """`CLIPConfig` is what LanguageBind's config extends; its pictures are resized with a low-pass filter."""
    fields = read_fields(path) | {"model_type": "LanguageBindImage", "architectures": None}
    if isinstance(fields.get("vision_config"), dict):
        fields["vision_config"] = fields["vision_config"] | {"lora_r": 0}
    published = parse_published(fields, path)
    preprocess = published.encoder.preprocess.model_copy(update={"antialias": True})
    return replace(published, encoder=published.encoder.model_copy(update={"preprocess": preprocess}))


def _read_open_clip(path: Path) -> Published:
    try:
        config = _OpenClip.model_validate(read_fields(path))
        model, prepare = config.model_cfg, config.preprocess_cfg
        activation = "quick_gelu" if model.quick_gelu else "gelu"
        return Published(
            encoder=EncoderCard(
                modality=Modality.IMAGE,
                projection_dim=model.embed_dim,
                vision_config=_vision(model.vision_cfg, activation),
                preprocess=ImageSpec(
                    size=model.vision_cfg.image_size,
                    interpolation=prepare.interpolation,
                    mean=prepare.mean,
                    std=prepare.std,
                ),
            ),
            text=TextCard(projection_dim=model.embed_dim, text_config=_text(model.text_cfg, activation)),
            lora=None,
        )
    except ValidationError as error:
        raise CheckpointError(f"the config {path} cannot be used", got=complaints(error)) from None


def _vision(config: _OpenClipVision, activation: Any) -> VisionConfig:
    return VisionConfig(
        hidden_size=config.width,
        intermediate_size=int(config.width * config.mlp_ratio),
        num_hidden_layers=config.layers,
        num_attention_heads=config.width // config.head_width,
        hidden_act=activation,
        image_size=config.image_size,
        patch_size=config.patch_size,
    )


def _text(config: _OpenClipText, activation: Any) -> TextConfig:
    return TextConfig(
        hidden_size=config.width,
        intermediate_size=int(config.width * config.mlp_ratio),
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        hidden_act=activation,
        vocab_size=config.vocab_size,
        max_position_embeddings=config.context_length,
    )
