# SPDX-License-Identifier: Apache-2.0
"""Transformer blocks with the names and shapes that CLIP checkpoints use."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from rvl_edge.offline.towers.card import Activation, TransformerConfig


class Attention(nn.Module):
    """Multi-head self-attention with separate, biased projections (Vaswani et al. 2017, section 3.2)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, *, asking: int | None = None, causal: bool = False) -> Tensor:
        """Map (B, N, width) to (B, N, width), or to (B, asking, width) for the first tokens only.

        `causal` hides the tokens to the right.
        """
        batch, _, width = tokens.shape
        shape = (batch, -1, self.heads, width // self.heads)
        first = tokens if asking is None else tokens[:, :asking]
        query, key, value = (
            projection(each).view(shape).transpose(1, 2)
            for projection, each in ((self.q_proj, first), (self.k_proj, tokens), (self.v_proj, tokens))
        )
        if tokens.device.type == "cpu" and torch.is_grad_enabled() and not causal:
            # torch's fused CPU kernel spends 4 to 10 times as long on the short sequences of small pictures
            scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
            mixed = scores.softmax(dim=-1) @ value
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(batch, -1, width))
        return out


class Mlp(nn.Module):
    """Two linear layers with the exact (erf) GELU between them, or with OpenAI's approximation of it."""

    def __init__(self, width: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.activation = _ACTIVATIONS[activation]

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., width) to (..., width)."""
        out: Tensor = self.fc2(self.activation(self.fc1(tokens)))
        return out


def quick_gelu(x: Tensor) -> Tensor:
    """GELU as x * sigmoid(1.702 x) (Hendrycks & Gimpel 2016, section 2), as in OpenAI's CLIP."""
    return x * torch.sigmoid(1.702 * x)


_ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "quick_gelu": quick_gelu,
}


class Block(nn.Module):
    """Pre-norm transformer block (Radford et al. 2021); `causal` hides the tokens to the right."""

    def __init__(self, config: TransformerConfig, *, causal: bool = False) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.causal = causal
        self.self_attn = Attention(width, config.num_attention_heads)
        self.layer_norm1 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width, config.intermediate_size, config.hidden_act)
        self.layer_norm2 = nn.LayerNorm(width, eps=eps)

    def forward(self, tokens: Tensor, *, asking: int | None = None) -> Tensor:
        """Map (B, N, width) to (B, N, width), or to (B, asking, width): the first tokens, which see all."""
        seen = self.self_attn(self.layer_norm1(tokens), asking=asking, causal=self.causal)
        tokens = (tokens if asking is None else tokens[:, :asking]) + seen
        out: Tensor = tokens + self.mlp(self.layer_norm2(tokens))
        return out


class Layers(nn.Module):
    """Blocks one after the other, under the name `encoder.layers` of CLIP checkpoints."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, tokens: Tensor, *, asking: int | None = None) -> Tensor:
        """Map (B, N, width) to (B, N, width), or to (B, asking, width).

        Where only the first tokens are looked at, the last layer leaves out what no one asks it for.
        """
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            tokens = layer(tokens, asking=asking if number == last else None)
        return tokens
