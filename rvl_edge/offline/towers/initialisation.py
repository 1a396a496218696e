# SPDX-License-Identifier: Apache-2.0
"""First weights: mimetic attention (Trockman & Kolter 2023, arXiv:2305.09828) and CLIP's scales elsewhere.

Trained attention layers have W_Q W_K^T near a multiple of I and W_V W_out near a negative one; starting
there saves a small ViT much of its training on small sets.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rvl_edge.offline.towers.attention import Attention, Mlp
from rvl_edge.offline.towers.encoders import Encoder, TextEncoder
from rvl_edge.offline.towers.temporal import SpatioTemporalBlock

_QUERY_KEY = (0.7, 0.7)  # alpha, beta of section 4 of the paper, for CIFAR-sized sets
_VALUE_OUT = (0.4, 0.4)
_TIME_SCALE = 0.3  # at 0.02, against tokens near 1, the direction of a motion is hardly learned


@torch.no_grad()
def initialise(encoder: Encoder | TextEncoder) -> None:
    """Draw all weights of a tower from torch's global generator."""
    for module in encoder.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    for module in encoder.modules():
        if isinstance(module, Attention):
            _mimetic(module)
        elif isinstance(module, Mlp):
            module.fc2.weight *= 0.5
    if isinstance(encoder, Encoder):
        embeddings = encoder.vision_model.embeddings
        nn.init.normal_(embeddings.class_embedding, std=0.02)
        table = sinusoids(*encoder.card.vision_config.grid, encoder.card.vision_config.hidden_size)
        embeddings.position_embedding.weight[1:] = table
        still_frames(encoder)


@torch.no_grad()
def still_frames(encoder: Encoder) -> None:
    """Make attention over frames add nothing: a clip tower starts as the picture tower it came from."""
    for module in encoder.modules():
        if isinstance(module, SpatioTemporalBlock):
            nn.init.normal_(module.temporal_embedding, std=_TIME_SCALE)
            nn.init.zeros_(module.temporal_attn.out_proj.weight)
            nn.init.zeros_(module.temporal_attn.out_proj.bias)


def sinusoids(rows: int, columns: int, width: int) -> Tensor:
    """Two-dimensional sine and cosine positions, (rows * columns, width) (MoCo v3, Chen et al. 2021)."""
    frequencies = 10_000 ** -(torch.arange(width // 4) / (width // 4))
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [axis.reshape(-1, 1) * frequencies for axis in (y, x)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)


def _mimetic(attention: Attention) -> None:
    width = attention.q_proj.in_features
    size = width // attention.heads
    for head in range(attention.heads):
        rows = slice(head * size, (head + 1) * size)
        left, right = _factors(width, *_QUERY_KEY)
        attention.q_proj.weight[rows] = left[:, :size].T
        attention.k_proj.weight[rows] = right[:, :size].T
    alpha, beta = _VALUE_OUT
    left, right = _factors(width, alpha, -beta)
    attention.v_proj.weight.copy_(left.T)
    attention.out_proj.weight.copy_(right)


def _factors(width: int, alpha: float, beta: float) -> tuple[Tensor, Tensor]:
    """Split alpha * Z + beta * I, Z of variance 1 / width, into two halves L, R with L @ R.T the product."""
    product = alpha * torch.randn(width, width) / math.sqrt(width) + beta * torch.eye(width)
    left, scales, right = torch.linalg.svd(product)
    root = scales.sqrt()
    return left * root, right.T * root
