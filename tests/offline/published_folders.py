# SPDX-License-Identifier: Apache-2.0
"""Checkpoint folders in the published layouts, of towers that are built in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from small_cards import image_card, randomised, text_card, video_card
from torch import Tensor

from rvl_edge.offline.towers import Encoder, EncoderCard, TextEncoder

INDEX = "model.safetensors.index.json"
RANK, ALPHA = 2, 16


def config_of(card: EncoderCard, **vision: object) -> dict[str, object]:
    """A config as transformers dumps it, with LanguageBind's fields and the leftovers that mean nothing."""
    name = f"LanguageBind{card.modality.value.capitalize()}"
    leftovers = {"projection_dim": 512, "num_channels": 3, "lora_r": 0, "lora_alpha": ALPHA}
    return {
        "architectures": [name],
        "model_type": name,
        "projection_dim": card.projection_dim,
        "text_config": text_card().text_config.model_dump() | {"projection_dim": 512},
        "vision_config": card.vision_config.model_dump(by_alias=True) | leftovers | vision,
    }


def image_weights() -> dict[str, Tensor]:
    """Both towers of an image checkpoint."""
    return _full(image_card())


def video_weights() -> dict[str, Tensor]:
    """Both towers of a video checkpoint."""
    return _full(video_card())


def _full(card: EncoderCard) -> dict[str, Tensor]:
    towers = randomised(Encoder(card), seed=1), randomised(TextEncoder(text_card()), seed=2)
    return {name: value.detach() for tower in towers for name, value in tower.state_dict().items()}


def write_config(folder: Path, config: Mapping[str, object]) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def write_safetensors(folder: Path, weights: Mapping[str, Tensor]) -> None:
    contiguous = {name: value.contiguous() for name, value in weights.items()}
    safetensors.torch.save_file(contiguous, folder / "model.safetensors")


def write_pickle(folder: Path, weights: Mapping[str, Tensor]) -> None:
    torch.save(dict(weights), folder / "pytorch_model.bin")


def write_shards(folder: Path, weights: Mapping[str, Tensor], count: int = 3) -> None:
    names, places = sorted(weights), {}
    for at in range(count):
        shard = f"model-{at + 1:05}-of-{count:05}.safetensors"
        part = {name: weights[name].contiguous() for name in names[at::count]}
        safetensors.torch.save_file(part, folder / shard)
        places |= dict.fromkeys(part, shard)
    write_index(folder, places)


def write_index(folder: Path, places: object) -> None:
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))


def image_folder(folder: Path) -> Path:
    """LanguageBind's image layout, in one file of safetensors."""
    write_config(folder, config_of(image_card()))
    write_safetensors(folder, image_weights())
    return folder


def pictures(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(5))


def clips(count: int = 2, frames: int = 4) -> Tensor:
    return torch.randn(count, 3, frames, 16, 16, generator=torch.Generator().manual_seed(6))


def texts(count: int = 3) -> Tensor:
    ids = torch.randint(1, 699, (count, 12), generator=torch.Generator().manual_seed(7))
    ids[:, 8:] = 699
    return ids
