# SPDX-License-Identifier: Apache-2.0
"""One JSON card an encoder: its architecture in Hugging Face's words, and how its input is prepared.

A card is also the `config.json` of a checkpoint. Fields that LanguageBind's files carry beyond these are
ignored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rvl_edge.errors import CheckpointError
from rvl_edge.preprocess.spec import PreprocessSpec
from rvl_edge.types import Modality

CARDS = Path(__file__).parent / "cards"

Positive = Annotated[int, Field(ge=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Transformer(_Entry):
    hidden_size: Positive
    intermediate_size: Positive
    num_hidden_layers: Positive
    num_attention_heads: Positive

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> _Transformer:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"{self.num_attention_heads} heads do not divide hidden_size {self.hidden_size}")
        return self


class VisionConfig(_Transformer):
    """Architecture of a vision tower. `image_size` is a side, or (height, width), in pixels."""

    image_size: Positive | tuple[Positive, Positive]
    patch_size: Positive
    num_frames: Positive = 1
    add_time_attn: bool = False
    patch_dropout: Annotated[float, Field(ge=0, lt=1, alias="force_patch_dropout")] = 0.0

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        height, width = (self.image_size,) * 2 if isinstance(self.image_size, int) else self.image_size
        return height // self.patch_size, width // self.patch_size


class TextConfig(_Transformer):
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


def read_card(path: Path) -> EncoderCard | TextCard:
    """Read a card or a checkpoint's `config.json`.

    Raises:
        CheckpointError: no such file, no JSON, or fields that are missing or out of range.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        kind = TextCard if "text_config" in fields and "vision_config" not in fields else EncoderCard
        return kind.model_validate(fields)
    except FileNotFoundError:
        raise CheckpointError(
            "no card there", got=path, fix="give a folder with a config.json, or a card's name"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError, ValidationError) as error:
        raise CheckpointError(
            f"the card {path} cannot be used", got=error, fix="compare it with a card of towers/cards"
        ) from None


def named_card(name: str) -> EncoderCard | TextCard:
    """Read a card of the package, as `tiny-image`."""
    known = sorted(path.stem for path in CARDS.glob("*.json"))
    if name not in known:
        raise CheckpointError("no such card", got=name, expected=" or ".join(known))
    return read_card(CARDS / f"{name}.json")
