# SPDX-License-Identifier: Apache-2.0
"""The forms a LoRA checkpoint comes in, made from the one that today's peft writes."""

from __future__ import annotations

import re

import torch
from torch import Tensor

State = dict[str, Tensor]
_UPDATED = re.compile(r"(.+)\.base_layer\.weight")


def old_style(state: State) -> State:
    """As peft before 0.6 filed it: no `base_layer`; with the position buffers of transformers before 4.31."""
    renamed = {key.replace(".base_layer.", "."): value for key, value in state.items()}
    for tower in ("vision_model", "text_model"):
        table = state[f"{tower}.embeddings.position_embedding.weight"]
        renamed[f"{tower}.embeddings.position_ids"] = torch.arange(len(table))[None]
    return renamed


def merged(state: State, alpha: float) -> State:
    """The same function without LoRA: W + alpha / r * B A (Hu et al. 2022, section 4.1), in float64."""
    plain = {key: value for key, value in state.items() if ".lora_" not in key}
    for key in state:
        if found := _UPDATED.fullmatch(key):
            a, b = (state[f"{found[1]}.lora_{side}.default.weight"].double() for side in "AB")
            plain[key] = (state[key].double() + alpha / len(a) * (b @ a)).float()
    return {
        key.replace(".base_layer.", ".").replace("encoder.base_model.model.", "encoder."): value
        for key, value in plain.items()
    }
