# SPDX-License-Identifier: Apache-2.0
"""Checkpoints in the Hugging Face layout: a folder with `config.json` and `model.safetensors`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from rvl_edge._files import folder_atomic
from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers.card import EncoderCard, read_card
from rvl_edge.offline.towers.encoders import Encoder, TextEncoder

CONFIG_NAME, WEIGHTS_NAME, TOKENIZER_NAME = "config.json", "model.safetensors", "tokenizer.json"

AnyEncoder = TypeVar("AnyEncoder", Encoder, TextEncoder)


def open_checkpoint(folder: Path) -> Encoder | TextEncoder:
    """Load an encoder in float32, in evaluation mode.

    Raises:
        CheckpointError: files that are missing or unreadable, or weights that do not fit the config.
    """
    card = read_card(folder / CONFIG_NAME)
    encoder = Encoder(card) if isinstance(card, EncoderCard) else TextEncoder(card)
    path = folder / WEIGHTS_NAME
    try:
        weights = safetensors.torch.load_file(path)
    except FileNotFoundError:
        raise CheckpointError("the checkpoint has no weights", got=folder, expected=WEIGHTS_NAME) from None
    except SafetensorError as error:
        raise CheckpointError(f"{path} is no safetensors file", got=error) from None
    load_weights(encoder, weights, source=path)
    return encoder.eval()


def load_weights(encoder: Encoder | TextEncoder, weights: Mapping[str, Tensor], *, source: object) -> None:
    """Copy weights into an encoder, leaving it untouched if any does not fit.

    The `position_ids` buffers of old checkpoints hold no weights and are passed over.

    Raises:
        CheckpointError: names every missing, unexpected and misshapen key.
    """
    given = {name: value for name, value in weights.items() if not name.endswith("position_ids")}
    wanted = encoder.state_dict()
    faults = [f"missing {name}" for name in sorted(wanted.keys() - given.keys())]
    faults += [f"unexpected {name}" for name in sorted(given.keys() - wanted.keys())]
    faults += [
        f"{name} is {tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in sorted(wanted.keys() & given.keys())
        if given[name].shape != wanted[name].shape
    ]
    if faults:
        raise CheckpointError(f"the weights of {source} do not fit the config", got="; ".join(faults))
    encoder.load_state_dict({name: value.float() for name, value in given.items()})


def save_checkpoint(encoder: Encoder | TextEncoder, folder: Path, *, tokenizer: str | None = None) -> None:
    """Write an encoder with its weights rounded to float16; a folder already there is replaced as a whole.

    Args:
        encoder: what to write.
        folder: where.
        tokenizer: content of `tokenizer.json`, of a text encoder.
    """
    rounded = round_weights(encoder.state_dict())
    with folder_atomic(folder) as partial:
        card = encoder.card.model_dump_json(indent=2, by_alias=True)
        (partial / CONFIG_NAME).write_text(card + "\n", encoding="utf-8")
        (partial / WEIGHTS_NAME).write_bytes(safetensors.torch.save(rounded, metadata={"format": "pt"}))
        if tokenizer is not None:
            (partial / TOKENIZER_NAME).write_text(tokenizer, encoding="utf-8")


def round_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as float16, which is how they are stored."""
    return {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in weights.items()}
