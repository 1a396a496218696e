# SPDX-License-Identifier: Apache-2.0
"""Weights spread over processes, for encoders that do not fit beside their optimiser's state (FSDP).

Each block of a tower is gathered when it computes and let go after; so is what is left of each encoder.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_map

from rvl_edge.offline.towers import Encoder, TextEncoder
from rvl_edge.offline.towers.attention import Layers


def shard(module: nn.Module) -> None:
    """Spread the encoders inside a module over all processes, in place; once is enough."""
    from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

    for encoder in [each for each in module.modules() if isinstance(each, (Encoder, TextEncoder))]:
        if isinstance(encoder, FSDPModule):
            continue
        for tower in encoder.modules():
            if isinstance(tower, Layers):
                for block in tower.layers:
                    fully_shard(block)
        numbers = {each for each in encoder.parameters() if each.ndim == 0}  # the logit scale cannot be cut
        fully_shard(encoder, ignored_params=numbers)
        register_fsdp_forward_method(encoder, "features")


def whole(state: Any) -> Any:
    """A state with every spread tensor gathered; all processes call this."""
    from torch.distributed.tensor import DTensor

    return tree_map(lambda each: each.full_tensor() if isinstance(each, DTensor) else each, state)


def spread_like(value: Any, model: Tensor) -> Any:
    """A whole tensor of the shape of `model`, spread as that is; anything else as it came."""
    if not hasattr(model, "device_mesh") or not isinstance(value, Tensor) or value.shape != model.shape:
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(model, DTensor)  # nothing else has a mesh
    return distribute_tensor(value.to(model.device), model.device_mesh, model.placements)
