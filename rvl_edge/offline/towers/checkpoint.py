# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: a folder with a config and weights -> towers, and back.

Read are LanguageBind's published folders, Hugging Face's and open_clip's CLIPs, and what `save_checkpoint`
writes: `config.json` and `model.safetensors` under Hugging Face's names.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from rvl_edge._files import folder_atomic
from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers.card import EncoderCard, TextCard
from rvl_edge.offline.towers.clip_config import CONFIG_NAME, read_folder_config
from rvl_edge.offline.towers.encoders import Encoder, TextEncoder
from rvl_edge.offline.towers.fitting import check_fit, fill, is_unused
from rvl_edge.offline.towers.folder_tokenizer import TOKENIZER_NAME
from rvl_edge.offline.towers.lora import merge_lora
from rvl_edge.offline.towers.open_clip_layout import from_open_clip, is_open_clip
from rvl_edge.offline.towers.published import Lora, Published
from rvl_edge.offline.towers.weights import WEIGHTS_NAME, LazyTensor, open_weights

_VISION, _TEXT = ("vision_model.", "visual_projection."), ("text_model.", "text_projection.")
_SCALE = "logit_scale"
_CLIPS_SCALE = math.log(100)  # where CLIP's training ends, and clips it


@dataclass(frozen=True)
class CheckpointReport:
    """What a checkpoint folder holds, beside the numbers.

    Attributes:
        encoder: card of the sense's encoder, if it is there.
        text: card of the text encoder, if it is there.
        lora: low-rank updates that are merged on loading, if any.
        ignored: keys of the file that take no part in an embedding.
        assumed: what the file lacks and a published value stands in for.
    """

    encoder: EncoderCard | None
    text: TextCard | None
    lora: Lora | None
    ignored: tuple[str, ...]
    assumed: tuple[str, ...]


@dataclass(frozen=True)
class _Checkpoint:
    report: CheckpointReport
    weights: Mapping[str, LazyTensor]


def open_checkpoint(folder: Path) -> Encoder | TextEncoder:
    """Load a sense's encoder, or the text encoder of a folder that has no other, in float32, not training.

    Of a full checkpoint only the sense's half is read; `open_text` reads the other.

    Raises:
        CheckpointError: files that are missing, damaged or hold code, weights that do not fit the config, or
            numbers that are not finite.
    """
    checkpoint = _open(folder)
    if checkpoint.report.encoder is None:
        return _text_encoder(checkpoint, folder)
    with torch.device("meta"):
        encoder = Encoder(checkpoint.report.encoder)
    fill(encoder, checkpoint.weights, folder)
    return encoder.eval()


def open_encoder(folder: Path) -> Encoder:
    """Load a sense's encoder, as `open_checkpoint`.

    Raises:
        CheckpointError: as `open_checkpoint`, or the folder has no encoder but the text's.
    """
    encoder = open_checkpoint(folder)
    if not isinstance(encoder, Encoder):
        raise CheckpointError(f"{folder} holds another tower", got="a text encoder", expected="a sense's")
    return encoder


def open_text(folder: Path) -> TextEncoder:
    """Load the text encoder of a full checkpoint or of a folder of its own, in float32, not training.

    Raises:
        CheckpointError: as `open_checkpoint`, or there is no text encoder.
    """
    return _text_encoder(_open(folder), folder)


def inspect_checkpoint(folder: Path) -> CheckpointReport:
    """Check that a folder's weights fit its config, without reading their numbers.

    Raises:
        CheckpointError: as `open_checkpoint`, but for numbers that are not finite.
    """
    return _open(folder).report


def text_fingerprint(folder: Path) -> str:
    """SHA-256 over the text encoder's card and weights as float32, in the order of their names.

    Checkpoints with equal fingerprints have one text encoder, however their files are laid out. It is no
    fingerprint to keep: a later release may describe the same tower by other fields.

    Raises:
        CheckpointError: as `open_text`.
    """
    checkpoint = _open(folder)
    digest = hashlib.sha256(_text_card(checkpoint, folder).model_dump_json().encode())
    for name, tensor in sorted(checkpoint.weights.items()):
        if name.startswith(_TEXT):
            digest.update(f"{name} {tensor.shape} ".encode())
            digest.update(np.ascontiguousarray(tensor.read().float().numpy()).data)
    return digest.hexdigest()


def save_checkpoint(
    encoder: Encoder | TextEncoder,
    folder: Path,
    *,
    tokenizer: str | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write an encoder; a folder already there is replaced as a whole, or left as it was.

    Args:
        encoder: what to write.
        folder: where.
        tokenizer: content of `tokenizer.json`, of a text encoder.
        dtype: what the weights are rounded to; float32 keeps them exactly.

    Raises:
        CheckpointError: weights that overflow `dtype`, or a disk that is full or cannot be written to.
    """
    weights = {name: _rounded(name, value, dtype) for name, value in encoder.state_dict().items()}
    card = encoder.card.model_dump_json(indent=2, by_alias=True)
    try:
        with folder_atomic(folder) as partial:
            (partial / CONFIG_NAME).write_text(card + "\n", encoding="utf-8")
            safetensors.torch.save_file(weights, partial / WEIGHTS_NAME, metadata={"format": "pt"})
            if tokenizer is not None:
                (partial / TOKENIZER_NAME).write_text(tokenizer, encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"the checkpoint {folder} could not be written, and nothing was changed",
            got=error,
            fix="free space on the disk, or name another folder",
        ) from error


def _open(folder: Path) -> _Checkpoint:
    config = read_folder_config(folder)
    filed = open_weights(folder)
    foreign = is_open_clip(filed)
    named = from_open_clip(filed) if foreign else filed
    weights = {name: tensor for name, tensor in named.items() if not is_unused(name)}
    weights = merge_lora(weights, config.lora if isinstance(config, Published) else None)
    encoder, text = _cards(config, weights)
    assumed: tuple[str, ...] = ()
    if foreign and encoder is not None and _SCALE not in weights:  # the state dict of a vision tower alone
        weights[_SCALE] = LazyTensor(_SCALE, (), lambda: torch.tensor(_CLIPS_SCALE))
        assumed = (f"{_SCALE} of ln 100, as CLIP's",)
    check_fit(weights, _shapes(encoder, text), folder)
    ignored = tuple(sorted(tensor.key for name, tensor in named.items() if is_unused(name)))
    lora = config.lora if isinstance(config, Published) else None
    return _Checkpoint(CheckpointReport(encoder, text, lora, ignored, assumed), weights)


def _cards(
    config: EncoderCard | TextCard | Published, weights: Mapping[str, LazyTensor]
) -> tuple[EncoderCard | None, TextCard | None]:
    """The towers of a folder: of a published config's two, one may be left out as a whole."""
    if isinstance(config, TextCard):
        return None, config
    if isinstance(config, EncoderCard):
        return config, None
    sense, text = (any(name.startswith(tower) for name in weights) for tower in (_VISION, _TEXT))
    return config.encoder if sense or not text else None, config.text if text else None


def _shapes(encoder: EncoderCard | None, text: TextCard | None) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        states = [Encoder(encoder).state_dict()] if encoder else []
        states += [TextEncoder(text).state_dict()] if text else []
    return {name: tuple(value.shape) for state in states for name, value in state.items()}


def _text_encoder(checkpoint: _Checkpoint, folder: Path) -> TextEncoder:
    with torch.device("meta"):
        encoder = TextEncoder(_text_card(checkpoint, folder))
    fill(encoder, checkpoint.weights, folder)
    return encoder.eval()


def _text_card(checkpoint: _Checkpoint, folder: Path) -> TextCard:
    card = checkpoint.report.text
    if card is None:
        raise CheckpointError(
            f"{folder} holds no text encoder", fix="give a full checkpoint, or the folder of a text encoder"
        )
    return card


def _rounded(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    rounded = value.detach().to("cpu", dtype).contiguous()
    if not rounded.isfinite().all():
        raise CheckpointError(f"{name} cannot be written as {dtype}", got=f"up to {value.abs().max():.3g}")
    return rounded
