# SPDX-License-Identifier: Apache-2.0
"""A vision tower told step by step on a checkpoint's tensors: unfolded patches, and torch's own attention."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.towers.card import VisionConfig


def plain_features(weights: Mapping[str, Tensor], config: VisionConfig, pixels: Tensor) -> Tensor:
    """(B, 3, H, W) or (B, 3, T, H, W) -> (B, projection_dim), not normalised, one sample after the other."""
    clips = pixels if pixels.ndim == 5 else pixels[:, :, None]
    return torch.stack([_sample(weights, config, clip.transpose(0, 1)) for clip in clips])


def _sample(weights: Mapping[str, Tensor], config: VisionConfig, frames: Tensor) -> Tensor:
    tokens = torch.stack([_tokens(weights, config, frame, t) for t, frame in enumerate(frames)])
    tokens = _normed(weights, config, "pre_layrnorm", tokens)
    for layer in range(config.num_hidden_layers):
        name = f"encoder.layers.{layer}"
        if config.add_time_attn:
            tokens = tokens + weights[f"vision_model.{name}.temporal_embedding"][0][:, None]
            looked = _normed(weights, config, f"{name}.temporal_layer_norm1", tokens)
            tokens = tokens + _attention(weights, config, f"{name}.temporal_attn", looked)
        looked = _normed(weights, config, f"{name}.layer_norm1", tokens).transpose(0, 1)
        tokens = tokens + _attention(weights, config, f"{name}.self_attn", looked).transpose(0, 1)
        hidden = _linear(weights, f"{name}.mlp.fc1", _normed(weights, config, f"{name}.layer_norm2", tokens))
        tokens = tokens + _linear(weights, f"{name}.mlp.fc2", _activated(config, hidden))
    pooled = _normed(weights, config, "post_layernorm", tokens[:, 0]).mean(0)
    return weights["visual_projection.weight"] @ pooled


def _tokens(weights: Mapping[str, Tensor], config: VisionConfig, frame: Tensor, t: int) -> Tensor:
    names = "vision_model.embeddings"
    kernel = weights[f"{names}.patch_embedding.weight"].flatten(1)
    patches = (kernel @ functional.unfold(frame, config.patch_size, stride=config.patch_size)).T
    first = weights[f"{names}.class_embedding"]
    first = first[t] if config.clip_type == "vl_new" else first
    return torch.cat([first[None], patches]) + weights[f"{names}.position_embedding.weight"]


def _attention(weights: Mapping[str, Tensor], config: VisionConfig, name: str, tokens: Tensor) -> Tensor:
    """Over the first axis of (N, B, width)."""
    part = {key: weights[f"vision_model.{name}.{key}"] for key in _ATTENTION_KEYS}
    mixed, _ = functional.multi_head_attention_forward(
        tokens,
        tokens,
        tokens,
        config.hidden_size,
        config.num_attention_heads,
        in_proj_weight=None,
        in_proj_bias=torch.cat([part[f"{each}_proj.bias"] for each in "qkv"]),
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=part["out_proj.weight"],
        out_proj_bias=part["out_proj.bias"],
        training=False,
        use_separate_proj_weight=True,
        q_proj_weight=part["q_proj.weight"],
        k_proj_weight=part["k_proj.weight"],
        v_proj_weight=part["v_proj.weight"],
    )
    return mixed


_ATTENTION_KEYS = [f"{each}_proj.{kind}" for each in ("q", "k", "v", "out") for kind in ("weight", "bias")]


def _activated(config: VisionConfig, hidden: Tensor) -> Tensor:
    if config.hidden_act == "quick_gelu":
        return hidden / (1 + torch.exp(-1.702 * hidden))
    return hidden * (1 + torch.erf(hidden / 2**0.5)) / 2


def _normed(weights: Mapping[str, Tensor], config: VisionConfig, name: str, tokens: Tensor) -> Tensor:
    gain, bias = (weights[f"vision_model.{name}.{kind}"] for kind in ("weight", "bias"))
    centred = tokens - tokens.mean(-1, keepdim=True)
    spread = torch.sqrt((centred**2).mean(-1, keepdim=True) + config.layer_norm_eps)
    return centred / spread * gain + bias


def _linear(weights: Mapping[str, Tensor], name: str, tokens: Tensor) -> Tensor:
    return tokens @ weights[f"vision_model.{name}.weight"].T + weights[f"vision_model.{name}.bias"]
