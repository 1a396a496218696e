# SPDX-License-Identifier: Apache-2.0
"""COLA's scores with gradients, for attackers who go through it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.refine import Cola


class DifferentiableCola:
    """`Cola` for a batch of samples.

    With the plan held, gradients go through the costs alone. By the envelope theorem that is the exact
    gradient of the entropic transport's value with respect to the costs; what it leaves out is that the
    weights of views and prompts move too. Otherwise they go through the weights and through every Sinkhorn
    iteration, and nothing is left out.

    Args:
        cola: whose texts, subspace and settings to use.
        device: to compute on.
        hold_plan: take the plan for a constant of each sample.
    """

    def __init__(self, cola: Cola, device: torch.device, *, hold_plan: bool = True) -> None:
        self._settings = cola.settings
        self._scale = cola.logit_scale
        self._hold_plan = hold_plan
        self._basis, self._texts, self._means = (
            torch.from_numpy(each).to(device) for each in (cola.subspace.basis, cola.texts, cola.means)
        )

    def __call__(self, features: Tensor) -> Tensor:
        """Scores (B, K) of unit embeddings of views (B, N, D), the original first; K is 2 or more."""
        x = features @ self._basis
        products = torch.einsum("bnc,kmc->bknm", x, self._texts)
        cosines = products / x.norm(dim=-1).clamp_min(1e-12)[:, None, :, None]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._hold_plan):
            logits = self._scale * x @ self._means.T
            plan = self._plan(1 - cosines.double(), logits.double(), self._scale * products[:, :, 0].double())
        scores: Tensor = (plan.to(cosines) * cosines).sum(dim=(2, 3)) - 1
        return scores

    def _plan(self, cost: Tensor, logits: Tensor, prompt_logits: Tensor) -> Tensor:
        """Transport (B, K, N, M) by Sinkhorn in the log domain, from logits (B, N, K) and (B, K, M)."""
        temperature = self._settings.weight_temperature
        log_shares = torch.log_softmax(logits, dim=2)
        view_entropy = -(log_shares.exp() * log_shares).sum(dim=2)
        log_a = torch.log_softmax(-view_entropy / temperature, dim=1)[:, None, :, None]
        text_entropy = _entropy_with_own(logits[:, 0], prompt_logits)
        log_b = torch.log_softmax(-text_entropy / temperature, dim=2)[:, :, None]
        kernel = -cost / self._settings.epsilon
        log_v = torch.zeros_like(log_b)
        for _ in range(self._settings.iterations):
            log_u = log_a - torch.logsumexp(kernel + log_v, dim=3, keepdim=True)
            log_v = log_b - torch.logsumexp(kernel + log_u, dim=2, keepdim=True)
            with torch.no_grad():
                rows = torch.logsumexp(kernel + log_u + log_v, dim=3, keepdim=True).exp()
                error = float((rows - log_a.exp()).abs().sum(dim=2).amax())
            if error <= self._settings.tolerance:
                break
        return (kernel + log_u + log_v).exp()


def _entropy_with_own(logits: Tensor, prompt_logits: Tensor) -> Tensor:
    """Entropy (B, K, M) of predictions in which a class's logit, of (B, K), is its prompt's own.

    By the chain rule: of the choice between the class and the rest, and of that within the rest.
    """
    itself = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
    others = torch.log_softmax(logits[:, None].masked_fill(itself, -torch.inf), dim=2)
    within = -(others.exp() * others.masked_fill(itself, 0)).sum(dim=2)
    total = logits[:, None].masked_fill(itself, -torch.inf).logsumexp(dim=2)
    gap = prompt_logits - total[..., None]
    own, rest = functional.logsigmoid(gap), functional.logsigmoid(-gap)
    return -(own.exp() * own) - rest.exp() * (rest - within[..., None])
