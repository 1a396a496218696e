# SPDX-License-Identifier: Apache-2.0
"""Optimisers, learning rate and averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Optimiser:
    """Muon for the matrices of the transformer blocks, AdamW for all else.

    Muon (Jordan et al. 2024) orthogonalises the momentum of a matrix; its steps are scaled to AdamW's (Liu
    et al. 2025, arXiv:2502.16982), so one learning rate serves both.

    Args:
        modules: what to train; parameters without `requires_grad` stay as they are.
        lr: peak learning rate.
        weight_decay: of matrices; gains, biases, tables and the logit scale do not decay.
    """

    def __init__(self, modules: nn.Module, lr: float, weight_decay: float) -> None:
        named = [(name, each) for name, each in modules.named_parameters() if each.requires_grad]
        matrices = [each for name, each in named if each.ndim == 2 and ".layers." in name]
        others = [each for name, each in named if not (each.ndim == 2 and ".layers." in name)]
        self._parts: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=lr, weight_decay=0.0, betas=(0.9, 0.98)),
        )
        self._lr = lr

    def step(self, rate: float) -> None:
        """Apply and clear the gradients; `rate` is the part of the peak learning rate to use."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate * self._lr
            part.step()
            part.zero_grad()

    def state_dict(self) -> list[dict[str, Any]]:
        """What `load_state_dict` needs to go on."""
        return [part.state_dict() for part in self._parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Go on from an earlier state."""
        for part, state in zip(self._parts, states, strict=True):
            part.load_state_dict(state)


def warm_cosine(done: float, warm_up: float) -> float:
    """Part of the peak rate after the part `done` of training: linear rise, then half a cosine to 0."""
    if done < warm_up:
        return done / warm_up
    return 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))


class Average:
    """Exponential moving average of weights, short at first so that the random start fades.

    Args:
        module: whose weights to follow.
        decay: part of the average that a step keeps.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.weights = {name: value.detach().clone() for name, value in module.state_dict().items()}
        self._decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after `step` steps."""
        keep = min(self._decay, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            self.weights[name].lerp_(value, 1 - keep)

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """Let a module hold the average inside the block, and its own weights again after it."""
        own = {name: value.detach().clone() for name, value in module.state_dict().items()}
        module.load_state_dict(self.weights)
        try:
            yield
        finally:
            module.load_state_dict(own)

    def load(self, weights: dict[str, Tensor]) -> None:
        """Go on from an earlier average."""
        for name, value in weights.items():
            self.weights[name].copy_(value)
