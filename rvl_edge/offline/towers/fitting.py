# SPDX-License-Identifier: Apache-2.0
"""Weights against the architecture that the config describes: strict, and said in the config's terms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers.weights import Weights, shortened

# Buffers that hold no weights, and an MLP over time that LanguageBind's code has but never calls.
_UNUSED = re.compile(
    r".*\bposition_ids|.*\.temporal_mlp\..*|.*\.temporal_layer_norm2\..*"
    r"|attn_mask|input_resolution|context_length|vocab_size"
)

_PATCHES = "vision_model.embeddings.patch_embedding.weight"
_SIZES = {  # what the config sets -> where the weights show it: key and axis
    "vision_config.hidden_size": ("vision_model.pre_layrnorm.weight", 0),
    "vision_config.intermediate_size": ("vision_model.encoder.layers.0.mlp.fc1.bias", 0),
    "vision_config.patch_size": (_PATCHES, -1),
    "positions by vision_config.image_size": ("vision_model.embeddings.position_embedding.weight", 0),
    "vision_config.num_frames": ("vision_model.encoder.layers.0.temporal_embedding", 1),
    "projection_dim": ("visual_projection.weight", 0),
    "text_config.hidden_size": ("text_model.final_layer_norm.weight", 0),
    "text_config.intermediate_size": ("text_model.encoder.layers.0.mlp.fc1.bias", 0),
    "text_config.vocab_size": ("text_model.embeddings.token_embedding.weight", 0),
    "text_config.max_position_embeddings": ("text_model.embeddings.position_embedding.weight", 0),
}
_LAYER = re.compile(r"(vision|text)_model\.encoder\.layers\.(\d+)\.")


Shapes = Mapping[str, tuple[int, ...]]


def is_unused(name: str) -> bool:
    """Whether a published key belongs to nothing that takes part in an embedding."""
    return _UNUSED.fullmatch(name) is not None


def check_fit(given: Weights, wanted: Shapes, source: object) -> None:
    """Compare names and shapes with an architecture's.

    Raises:
        CheckpointError: the config's fields that are at odds with the weights, then missing, unexpected and
            misshapen keys.
    """
    shapes = {name: tensor.shape for name, tensor in given.items()}
    if shapes == wanted:
        return
    faults = [f"missing {name}" for name in sorted(wanted.keys() - given.keys())]
    faults += [f"unexpected {_as_filed(name, given)}" for name in sorted(given.keys() - wanted.keys())]
    faults += [
        f"{_as_filed(name, given)} is {shapes[name]}, not {wanted[name]}"
        for name in sorted(wanted.keys() & given.keys())
        if shapes[name] != wanted[name]
    ]
    fields = list(_contradictions(shapes, wanted))
    raise CheckpointError(
        f"the weights of {source} do not fit the config",
        got="; ".join([*fields, shortened(faults)]),
        fix="use the config.json that was published with these weights" if fields else None,
    )


def fill(module: nn.Module, weights: Weights, source: object) -> None:
    """Give a module, built without memory of its own, its weights in float32.

    Raises:
        CheckpointError: numbers that are not finite, or not floating-point; names the keys.
    """
    state: dict[str, Tensor] = {}
    faults = []
    for name in module.state_dict():
        value = weights[name].read()
        if not value.is_floating_point():
            faults.append(f"{_as_filed(name, weights)} is of type {value.dtype}")
            continue
        state[name] = value.to(torch.float32).contiguous()
        if not all(bound.isfinite() for bound in state[name].aminmax()):  # isfinite().all() needs a copy
            faults.append(f"{_as_filed(name, weights)} is not finite")
    if faults:
        raise CheckpointError(
            f"{source} holds weights that cannot be used", got=shortened(faults), fix="download it again"
        )
    module.load_state_dict(state, assign=True)


def _as_filed(name: str, weights: Weights) -> str:
    key = weights[name].key
    return name if key == name else f"{name} (filed as {key})"


def _contradictions(given: Shapes, wanted: Shapes) -> Iterator[str]:
    """The config's fields that the weights contradict; `given` is the weights', `wanted` the config's."""
    for field, (key, axis) in _SIZES.items():
        config, weights = (shapes.get(key, ())[axis:][:1] for shapes in (wanted, given))
        if config and weights:
            yield from _differ(field, *config, *weights)
    for tower in ("vision", "text"):
        counts = (_layers(shapes, tower) for shapes in (wanted, given))
        yield from _differ(f"{tower}_config.num_hidden_layers", *counts)
    timed = (any(".temporal_attn." in name for name in shapes) for shapes in (wanted, given))
    yield from _differ("vision_config.add_time_attn", *timed)
    if _PATCHES in given and _PATCHES in wanted:
        kinds = ("vl_new" if len(shapes[_PATCHES]) == 5 else "vl" for shapes in (wanted, given))
        yield from _differ("vision_config.clip_type", *kinds)


def _differ(field: str, config: object, weights: object) -> Iterator[str]:
    if config != weights:
        yield f"{field}: {config} in the config, {weights} in the weights"


def _layers(shapes: Shapes, tower: str) -> int:
    return len({match[2] for name in shapes if (match := _LAYER.match(name)) and match[1] == tower})
