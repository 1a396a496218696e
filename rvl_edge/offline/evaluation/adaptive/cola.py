# SPDX-License-Identifier: Apache-2.0
"""COLA's scores with gradients, for attackers who go through it."""

from __future__ import annotations

import torch
from torch import Tensor

from rvl_edge.refine import Cola


class DifferentiableCola:
    """`Cola` for a batch of samples. The plan is a constant of each: gradients go through the costs alone.

    By the envelope theorem that is the exact gradient of the entropic transport's value with respect to the
    costs; what it leaves out is that the weights of views and prompts move too.

    Args:
        cola: whose texts, subspace and settings to use.
        device: to compute on.
    """

    def __init__(self, cola: Cola, device: torch.device) -> None:
        self._settings = cola.settings
        self._scale = cola.logit_scale
        self._basis, self._texts, self._means = (
            torch.from_numpy(each).to(device) for each in (cola.subspace.basis, cola.texts, cola.means)
        )

    def __call__(self, features: Tensor) -> Tensor:
        """Scores (B, K) of unit embeddings of views (B, N, D), the original first; K is 2 or more."""
        x = features @ self._basis
        products = torch.einsum("bnc,kmc->bknm", x, self._texts)
        cosines = products / x.norm(dim=-1).clamp_min(1e-12)[:, None, :, None]
        with torch.no_grad():
            logits = self._scale * x @ self._means.T
            plan = self._plan(1 - cosines.double(), logits.double(), self._scale * products[:, :, 0].double())
        scores: Tensor = (plan.to(cosines) * cosines).sum(dim=(2, 3)) - 1
        return scores

    def _plan(self, cost: Tensor, logits: Tensor, prompt_logits: Tensor) -> Tensor:
        """Transport (B, K, N, M) by Sinkhorn in the log domain, from logits (B, N, K) and (B, K, M)."""
        temperature = self._settings.weight_temperature
        view_entropy = torch.distributions.Categorical(logits=logits).entropy()
        log_a = torch.log_softmax(-view_entropy / temperature, dim=1)[:, None, :, None]
        text_entropy = _entropy_with_own(logits[:, 0], prompt_logits)
        log_b = torch.log_softmax(-text_entropy / temperature, dim=2)[:, :, None]
        kernel = -cost / self._settings.epsilon
        log_v = torch.zeros_like(log_b)
        for _ in range(self._settings.iterations):
            log_u = log_a - torch.logsumexp(kernel + log_v, dim=3, keepdim=True)
            log_v = log_b - torch.logsumexp(kernel + log_u, dim=2, keepdim=True)
            rows = torch.logsumexp(kernel + log_u + log_v, dim=3, keepdim=True).exp()
            if float((rows - log_a.exp()).abs().sum(dim=2).amax()) <= self._settings.tolerance:
                break
        return (kernel + log_u + log_v).exp()


def _entropy_with_own(logits: Tensor, prompt_logits: Tensor) -> Tensor:
    """Entropy (B, K, M) of predictions in which a class's logit, of (B, K), is its prompt's own."""
    batch, classes = logits.shape
    itself = torch.eye(classes, dtype=torch.bool, device=logits.device)
    replaced = logits[:, None, None, :].expand(batch, classes, prompt_logits.shape[2], classes)
    replaced = torch.where(itself[:, None], prompt_logits[..., None], replaced)
    entropy: Tensor = torch.distributions.Categorical(logits=replaced).entropy()
    return entropy
