# SPDX-License-Identifier: Apache-2.0
"""One JSON card an encoder: its architecture in Hugging Face's words, and how its input is prepared.

A card is also the `config.json` of a checkpoint written here. A card of the package may name another one in
`extends`; its own fields are then laid over that one's, section by section.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rvl_edge._validation import complaints
from rvl_edge.errors import CheckpointError
from rvl_edge.preprocess.spec import PreprocessSpec
from rvl_edge.types import Modality

CARDS = Path(__file__).parent / "cards"

Positive = Annotated[int, Field(ge=1)]
Activation = Literal["gelu", "quick_gelu"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class TransformerConfig(_Entry):
    """Size of a stack of transformer blocks.

    `hidden_act` is the exact GELU or OpenAI's approximation of it, x * sigmoid(1.702 x).
    """

    hidden_size: Positive
    intermediate_size: Positive
    num_hidden_layers: Positive
    num_attention_heads: Positive
    hidden_act: Activation = "gelu"
    layer_norm_eps: Annotated[float, Field(gt=0)] = 1e-5

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> TransformerConfig:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"{self.num_attention_heads} heads do not divide hidden_size {self.hidden_size}")
        return self


class VisionConfig(TransformerConfig):
    """Architecture of a vision tower.

    `image_size` is a side, or (height, width), in pixels. `clip_type` "vl_new" (LanguageBind's video V1.5)
    gives every frame a class token of its own and keeps the patch kernel with an axis for time.
    """

    image_size: Positive | tuple[Positive, Positive]
    patch_size: Positive
    num_frames: Positive = 1
    add_time_attn: bool = False
    clip_type: Literal["vl", "vl_new"] = "vl"
    patch_dropout: Annotated[float, Field(ge=0, lt=1, alias="force_patch_dropout")] = 0.0

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        height, width = (self.image_size,) * 2 if isinstance(self.image_size, int) else self.image_size
        return height // self.patch_size, width // self.patch_size


class TextConfig(TransformerConfig):
    """Architecture of a text tower. The last id of the vocabulary ends a text."""

    vocab_size: Positive
    max_position_embeddings: Positive


class EncoderCard(_Entry):
    """A sense's encoder."""

    modality: Modality
    projection_dim: Positive
    vision_config: VisionConfig
    preprocess: PreprocessSpec

    @model_validator(mode="after")
    def _prepares_its_own_sense(self) -> EncoderCard:
        if self.preprocess.kind != self.modality.value:
            raise ValueError(f"preprocess is of kind {self.preprocess.kind!r}, modality is {self.modality}")
        return self


class TextCard(_Entry):
    """The text encoder."""

    projection_dim: Positive
    text_config: TextConfig


def named_card(name: str) -> EncoderCard | TextCard:
    """Read a card of the package, as `tiny-image` or `languagebind-audio`.

    Raises:
        CheckpointError: no card has that name.
    """
    known = sorted(path.stem for path in CARDS.glob("*.json"))
    if name not in known:
        raise CheckpointError("no such card", got=name, expected=" or ".join(known))
    return parse_card(_package_fields(name), name)


def read_fields(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        CheckpointError: no such file, or no JSON object in it.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            "no card there", got=path, fix="give a folder with a config.json, or a card's name"
        ) from None
    except OSError as error:
        raise CheckpointError("the card cannot be read", got=error) from None
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or numbers and nesting without end
        raise CheckpointError(f"{path} is no JSON", got=error, fix="download the file again") from None
    if not isinstance(fields, dict):
        raise CheckpointError(f"{path} is no card", got=type(fields).__name__, expected="a JSON object")
    return fields


def parse_card(fields: Mapping[str, Any], source: object) -> EncoderCard | TextCard:
    """Validate the fields of a card.

    Raises:
        CheckpointError: fields that are missing or out of range, each named.
    """
    kind = TextCard if "text_config" in fields and "vision_config" not in fields else EncoderCard
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise CheckpointError(
            f"the card {source} cannot be used",
            got=complaints(error),
            fix="compare it with a card of towers/cards",
        ) from None


def _package_fields(name: str) -> dict[str, Any]:
    fields = read_fields(CARDS / f"{name}.json")
    base = fields.pop("extends", None)
    return fields if base is None else _merged(_package_fields(base), fields)


def _merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in patch.items():
        merged[name] = _merged(base.get(name, {}), value) if isinstance(value, dict) else value
    return merged
