# SPDX-License-Identifier: Apache-2.0
"""Low-rank updates that LanguageBind publishes unmerged: W + alpha / r * B A (Hu et al. 2022, section 4.1).

peft wraps `vision_model.encoder`, so `base_model.model` comes into every name below it. Before 0.6 it kept an
adapted layer's own weight under `weight`, since then under `base_layer.weight`; the reference, with a peft of
the other age, starts such layers at random and only warns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch
from torch import Tensor

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.towers.published import Lora
from rvl_edge.offline.towers.weights import LazyTensor, Weights, shortened

_WRAPPED = "vision_model.encoder.base_model.model."
_UPDATE = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])\.default\.weight")
_LAYER = re.compile(r"(?P<layer>vision_model\.encoder\.layers\.\d+)\.")
_ATTENTION = re.compile(_LAYER.pattern + r"(?P<kind>self_attn|temporal_attn)\.\w+_proj")
_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")


def merge_lora(weights: Weights, lora: Lora | None) -> dict[str, LazyTensor]:
    """Name the weights as those of plain layers, with the updates added in float32 when they are read.

    Args:
        weights: a checkpoint's, unmerged in either style of names, merged, or never adapted.
        lora: rank and scale from the checkpoint's config; None says that there are no updates.

    Raises:
        CheckpointError: updates where the config has none, none where it has them, or some whose other half,
            layer or rank is not there; names the keys.
    """
    plain = {_plain(name): tensor for name, tensor in weights.items()}
    updates = {name: match for name in plain if (match := _UPDATE.fullmatch(name))}
    _check_presence(updates, lora)
    if lora is None:
        return plain
    modules = sorted({match["module"] for match in updates.values()})
    _check_parts(plain, modules, lora)
    merged = {name: tensor for name, tensor in plain.items() if name not in updates}
    for module in modules:
        base, down, up = _parts(module)
        merged[base] = _merged(plain[base], plain[down], plain[up], lora.alpha / lora.r)
    return merged


def _plain(name: str) -> str:
    return name.replace(_WRAPPED, "vision_model.encoder.", 1).replace(".base_layer.", ".")


def _parts(module: str) -> tuple[str, str, str]:
    return f"{module}.weight", f"{module}.lora_A.default.weight", f"{module}.lora_B.default.weight"


def _merged(base: LazyTensor, down: LazyTensor, up: LazyTensor, scale: float) -> LazyTensor:
    def read() -> Tensor:
        return torch.addmm(base.read().float(), up.read().float(), down.read().float(), alpha=scale)

    return LazyTensor(base.key, base.shape, read)


def _check_presence(updates: Iterable[str], lora: Lora | None) -> None:
    found = sorted(updates)
    if found and lora is None:
        raise CheckpointError(
            "the weights hold low-rank updates and the config says vision_config.lora_r 0",
            got=shortened(found),
            fix="use the config.json that was published with these weights",
        )
    if lora is not None and not found:
        raise CheckpointError(
            f"the config says vision_config.lora_r {lora.r} and the weights hold no low-rank updates",
            expected=f"keys like {_WRAPPED}layers.0.self_attn.q_proj.lora_A.default.weight",
            fix="use the config.json that was published with these weights; lora_r is 0 for merged ones",
        )


def _check_parts(plain: Weights, modules: Iterable[str], lora: Lora) -> None:
    """Every layer has the updates that one has: the reference adapts one kind of attention, in all layers."""
    kinds = {match["kind"] for module in modules if (match := _ATTENTION.fullmatch(module))}
    layers = {match["layer"] for name in plain if (match := _LAYER.match(name))}
    adapted = {f"{layer}.{kind}.{each}" for layer in layers for kind in kinds for each in _PROJECTIONS}
    faults = []
    for module in sorted(adapted.union(modules)):
        base, down, up = _parts(module)
        missing = [key for key in (base, down, up) if key not in plain]
        faults += [f"missing {key}" for key in missing]
        if missing:
            continue
        outputs, inputs = plain[base].shape[0], plain[base].shape[-1]
        for part, shape in ((plain[down], (lora.r, inputs)), (plain[up], (outputs, lora.r))):
            if part.shape != shape:
                faults.append(f"{part.key} is {part.shape}, not {shape}")
    if faults:
        raise CheckpointError(
            f"the low-rank updates do not fit the config, whose vision_config.lora_r is {lora.r}",
            got=shortened(faults),
        )
