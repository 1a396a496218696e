# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of random towers, small enough to export in a test, and recipes over them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
import yaml

from rvl_edge.offline.towers import Encoder, EncoderCard, TextCard, TextEncoder, save_checkpoint
from rvl_edge.offline.towers.vocabulary import build_tokenizer

DIM, VOCABULARY = 16, 600
LABELS = Path(__file__).resolve().parents[2] / "calibration" / "labels"
SETS = {"image": "objects", "thermal": "thermal-objects", "audio": "sounds", "video": "camera-motion"}
STATISTICS = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
PREPROCESS: dict[str, dict[str, Any]] = {
    "image": {"kind": "image", "size": 16, **STATISTICS},
    "thermal": {"kind": "thermal", "size": 16, **STATISTICS},
    "audio": {"kind": "audio", "num_mel_bins": 16, "target_length": 32, "mean": -5.0, "std": 4.0},
    "video": {"kind": "video", "size": 16, "num_frames": 4, **STATISTICS},
}
TEXT_CONFIG = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 24,
}

_Tower = TypeVar("_Tower", Encoder, TextEncoder)


def vision_config(sense: str) -> dict[str, Any]:
    config = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": [16, 32] if sense == "audio" else 16,
        "patch_size": 8,
    }
    return {**config, "num_frames": 4, "add_time_attn": True} if sense == "video" else config


def encoder(sense: str, seed: int = 0) -> Encoder:
    card = {
        "modality": sense,
        "projection_dim": DIM,
        "vision_config": vision_config(sense),
        "preprocess": PREPROCESS[sense],
    }
    return randomised(Encoder(EncoderCard.model_validate(card)), seed)


def text_encoder(seed: int = 9) -> TextEncoder:
    card = TextCard.model_validate({"projection_dim": DIM, "text_config": TEXT_CONFIG})
    return randomised(TextEncoder(card), seed)


def randomised(tower: _Tower, seed: int) -> _Tower:
    """Weights of the seed alone, none of them zero or one, so that a lost tensor shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in tower.named_parameters():
            if name != "logit_scale":
                mean = 1.0 if "norm" in name and name.endswith("weight") else 0.0
                weight.copy_(mean + 0.25 * torch.randn(weight.shape, generator=generator))
    return tower.eval()


def write_sources(home: Path) -> None:
    """One checkpoint a sense and one of text, as half precision, a model card and `recipe.yaml`."""
    for at, sense in enumerate(SETS):
        save_checkpoint(encoder(sense, at), home / sense)
    save_checkpoint(text_encoder(), home / "text", tokenizer=build_tokenizer(VOCABULARY).to_str())
    (home / "MODEL_CARD.md").write_text("# Random weights\n")
    recipe = {
        "name": "random",
        "version": "1",
        "out": "bundle",
        "senses": {sense: {"checkpoint": sense, "label_set": name} for sense, name in SETS.items()},
        "text": "text",
        "labels": str(LABELS),
        "model_card": "MODEL_CARD.md",
        "weights": "float16",
        "parity": {"samples": 8},
    }
    (home / "recipe.yaml").write_text(yaml.safe_dump(recipe))


def write_languagebind(folder: Path, sense: str, *, seed: int = 0, text_seed: int = 9) -> None:
    """A checkpoint as LanguageBind publishes it: both towers in one file, in float32."""
    folder.mkdir()
    config = {
        "model_type": f"LanguageBind{sense.capitalize()}",
        "projection_dim": DIM,
        "text_config": {**TEXT_CONFIG, "hidden_act": "gelu"},
        "vision_config": {**vision_config(sense), "hidden_act": "gelu", "lora_r": 0},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(build_tokenizer(VOCABULARY).to_str())
    weights = {**encoder(sense, seed).state_dict(), **text_encoder(text_seed).state_dict()}
    safetensors.torch.save_file(weights, folder / "model.safetensors")


def edit(home: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change `recipe.yaml`; returns its path."""
    path = home / "recipe.yaml"
    recipe = yaml.safe_load(path.read_text())
    change(recipe)
    path.write_text(yaml.safe_dump(recipe))
    return path
