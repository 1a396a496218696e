# SPDX-License-Identifier: Apache-2.0
"""Optimisers, learning rate and averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rvl_edge.offline.training.sharding import spread_like

OptimiserName = Literal["muon", "adamw"]


class Optimiser:
    """Muon for the matrices of the transformer blocks and AdamW for all else, or AdamW for everything.

    Muon (Jordan et al. 2024) orthogonalises the momentum of a matrix; its steps are scaled to AdamW's (Liu
    et al. 2025, arXiv:2502.16982), so one learning rate serves both.

    Args:
        modules: what to train; parameters without `requires_grad` stay as they are.
        lr: peak learning rate.
        weight_decay: of matrices; gains, biases, tables and the logit scale do not decay.
        name: `muon`, or `adamw` with torch's betas as FARE's and TeCoA's authors train.
    """

    def __init__(
        self, modules: nn.Module, lr: float, weight_decay: float, name: OptimiserName = "muon"
    ) -> None:
        trained = [(key, each) for key, each in modules.named_parameters() if each.requires_grad]
        matrices = [each for key, each in trained if each.ndim == 2 and ".layers." in key]
        others = [each for key, each in trained if not (each.ndim == 2 and ".layers." in key)]
        self._parameters = [each for _, each in trained]
        self._parts: tuple[torch.optim.Optimizer, ...]
        if name == "muon":
            self._parts = (
                torch.optim.Muon(matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
                torch.optim.AdamW(others, lr=lr, weight_decay=0.0, betas=(0.9, 0.98)),
            )
        else:
            groups = [
                {"params": matrices, "weight_decay": weight_decay},
                {"params": others, "weight_decay": 0.0},
            ]
            self._parts = (torch.optim.AdamW([each for each in groups if each["params"]], lr=lr),)
        self._lr = lr

    def gradient_norm(self, limit: float | None = None) -> Tensor:
        """Euclidean norm of all gradients, before they are scaled down to at most `limit`."""
        return nn.utils.clip_grad_norm_(self._parameters, math.inf if limit is None else limit)

    def step(self, rate: float) -> None:
        """Apply and clear the gradients; `rate` is the part of the peak learning rate to use."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = rate * self._lr
            part.step()
            part.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on."""
        return {str(number): part.state_dict() for number, part in enumerate(self._parts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from an earlier state."""
        for number, part in enumerate(self._parts):
            given = state[str(number)]
            trained = [each for group in part.param_groups for each in group["params"]]
            moments = {
                index: {name: spread_like(value, trained[index]) for name, value in each.items()}
                for index, each in given["state"].items()
            }
            part.load_state_dict({**given, "state": moments})


def warm_cosine(done: float, warm_up: float) -> float:
    """Part of the peak rate after the part `done` of training: linear rise, then half a cosine to 0.

    The rise begins at 0, so the first step moves nothing but the optimiser's moments.
    """
    if done < warm_up:
        return done / warm_up
    return 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))


class Average:
    """Exponential moving average of weights, short at first so that the random start fades.

    Args:
        module: whose weights to follow.
        decay: part of the average that a step keeps; 0 is the weights themselves.
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

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return self.weights

    def load_state_dict(self, weights: dict[str, Tensor]) -> None:
        """Go on from an earlier average."""
        for name, value in weights.items():
            self.weights[name].copy_(spread_like(value, self.weights[name]))


class Weights:
    """A module's state as a part of a snapshot, in which all tensors are whole."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def state_dict(self) -> dict[str, Tensor]:
        """The module's."""
        state: dict[str, Tensor] = self._module.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from an earlier state."""
        own = self._module.state_dict()
        spread = {
            name: spread_like(value, own[name]) if name in own else value for name, value in state.items()
        }
        self._module.load_state_dict(spread)
