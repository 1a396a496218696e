# SPDX-License-Identifier: Apache-2.0
"""Low-rank updates to train instead of the weights: W + alpha / r * B A (Hu et al. 2022, section 4.1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rvl_edge.errors import ConfigError


class LoraLinear(nn.Module):
    """A linear layer whose own weight is frozen; it starts as the layer it replaces.

    Args:
        base: the layer.
        rank: r.
        alpha: scale of the update, times r.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = alpha / rank
        self.down = nn.Parameter(base.weight.new_empty(rank, base.in_features))
        self.up = nn.Parameter(base.weight.new_zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, rows: Tensor) -> Tensor:
        """Map (..., inputs) to (..., outputs)."""
        update = nn.functional.linear(nn.functional.linear(rows, self.down), self.up)
        out: Tensor = self.base(rows) + self.scale * update
        return out

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One plain layer that computes the same."""
        self.base.weight.addmm_(self.up, self.down, alpha=self.scale)
        return self.base


def add_lora(module: nn.Module, rank: int, alpha: float, targets: tuple[str, ...]) -> None:
    """Freeze a module and put updates beside its linear layers whose last name is one of `targets`.

    Raises:
        ConfigError: no layer has such a name.
    """
    module.requires_grad_(False)
    adapted = {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in targets
    }
    missing = sorted(set(targets) - {name.rpartition(".")[2] for name in adapted})
    if missing:
        raise ConfigError("the encoder has no such layers for low-rank updates", got=", ".join(missing))
    for name, layer in adapted.items():
        module.set_submodule(name, LoraLinear(layer, rank, alpha))


def merge_lora(module: nn.Module) -> None:
    """Add the updates into the weights; the module has its plain layers back."""
    for name, layer in list(module.named_modules()):
        if isinstance(layer, LoraLinear):
            module.set_submodule(name, layer.merged())
