# SPDX-License-Identifier: Apache-2.0
"""open_clip's names and matrices, told in those of the towers.

Robustly fine-tuned CLIPs (FARE, Schlarmann et al. 2024; TeCoA, Mao et al. 2023) are published as the state
dict of open_clip's vision transformer alone, or as whole open_clip models.
"""

from __future__ import annotations

import re

from torch import Tensor

from rvl_edge.offline.towers.weights import LazyTensor, Weights

_BLOCK = re.compile(r"transformer\.resblocks\.(?P<layer>\d+)\.(?P<part>.+)")
_WRAPPERS = ("module.", "model.")  # left by DataParallel, and by classifiers around the model

_VISION = {
    "class_embedding": "vision_model.embeddings.class_embedding",
    "conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "ln_post.weight": "vision_model.post_layernorm.weight",
    "ln_post.bias": "vision_model.post_layernorm.bias",
    "proj": "visual_projection.weight",
}
_TEXT = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "text_projection": "text_projection.weight",
}
_PARTS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_TRANSPOSED = ("proj", "text_projection")  # parameters applied from the right; ours are linear layers


def is_open_clip(weights: Weights) -> bool:
    """Whether the names are open_clip's."""
    return any(".resblocks." in name for name in weights)


def from_open_clip(weights: Weights) -> dict[str, LazyTensor]:
    """Rename the tensors of an open_clip model or of one of its towers, and split its attention's matrix.

    `module.`, `model.` and `visual.` before all names are taken off. What has no counterpart keeps its name,
    for the check against the config to refuse.
    """
    bare = _unwrapped(weights)
    whole = any(name.startswith("visual.") for name in bare)
    renamed: dict[str, LazyTensor] = {}
    for name, tensor in bare.items():
        if name.startswith("visual.") or (not whole and "conv1.weight" in bare):
            renamed |= _in_tower(name.removeprefix("visual."), tensor, "vision_model", _VISION)
        else:
            renamed |= _in_tower(name.removeprefix("text."), tensor, "text_model", _TEXT)
    return renamed


def _unwrapped(weights: Weights) -> Weights:
    for wrapper in _WRAPPERS:
        if all(name.startswith(wrapper) for name in weights):
            return _unwrapped({name.removeprefix(wrapper): tensor for name, tensor in weights.items()})
    return weights


def _in_tower(name: str, tensor: LazyTensor, tower: str, names: dict[str, str]) -> dict[str, LazyTensor]:
    block = _BLOCK.fullmatch(name)
    if block is None:
        return {names.get(name, name): _transposed(tensor) if name in _TRANSPOSED else tensor}
    layer, part = f"{tower}.encoder.layers.{block['layer']}", block["part"]
    if part in ("attn.in_proj_weight", "attn.in_proj_bias"):
        kind = part.removeprefix("attn.in_proj_")
        return {f"{layer}.self_attn.{each}_proj.{kind}": _third(tensor, at) for at, each in enumerate("qkv")}
    module, _, kind = part.rpartition(".")
    return {f"{layer}.{_PARTS.get(module, module)}.{kind}": tensor}


def _transposed(tensor: LazyTensor) -> LazyTensor:
    return LazyTensor(tensor.key, tensor.shape[::-1], lambda: tensor.read().T)


def _third(tensor: LazyTensor, index: int) -> LazyTensor:
    """Rows of the query, the key or the value in their common matrix."""
    rows = tensor.shape[0] // 3

    def read() -> Tensor:
        return tensor.read()[index * rows : (index + 1) * rows].clone()  # a view would keep all three

    return LazyTensor(tensor.key, (rows, *tensor.shape[1:]), read)
