# SPDX-License-Identifier: Apache-2.0
"""Cards of towers that are built in milliseconds."""

from __future__ import annotations

import torch
from torch import nn

from rvl_edge.offline.towers import Encoder, EncoderCard, TextCard, TextEncoder
from rvl_edge.offline.towers.card import TextConfig, VisionConfig
from rvl_edge.preprocess.spec import ImageSpec, VideoSpec
from rvl_edge.types import Modality

HALF = (0.5, 0.5, 0.5)
DIM = 24


def vision_config(**changes: object) -> VisionConfig:
    numbers = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 16,
        "patch_size": 4,
    }
    return VisionConfig.model_validate({**numbers, **changes})


def image_card(**changes: object) -> EncoderCard:
    return EncoderCard(
        modality=Modality.IMAGE,
        projection_dim=DIM,
        vision_config=vision_config(**changes),
        preprocess=ImageSpec(size=16, mean=HALF, std=HALF),
    )


def video_card(frames: int = 4) -> EncoderCard:
    return EncoderCard(
        modality=Modality.VIDEO,
        projection_dim=DIM,
        vision_config=vision_config(num_frames=frames, add_time_attn=True),
        preprocess=VideoSpec(size=16, mean=HALF, std=HALF, num_frames=frames),
    )


def text_card() -> TextCard:
    config = TextConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        vocab_size=700,
        max_position_embeddings=12,
    )
    return TextCard(projection_dim=DIM, text_config=config)


def randomised(encoder: Encoder | TextEncoder, seed: int = 0) -> Encoder | TextEncoder:
    """Fill every parameter, biases and gains too, so that a mixed-up one shows."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.2, generator=generator)
    return encoder.eval()
