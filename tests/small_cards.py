# SPDX-License-Identifier: Apache-2.0
"""Cards of towers that are built in milliseconds."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from rvl_edge.offline.towers import Encoder, EncoderCard, TextCard, TextEncoder, named_card
from rvl_edge.offline.towers.card import TextConfig, VisionConfig
from rvl_edge.preprocess.spec import ImageSpec, VideoSpec
from rvl_edge.types import Modality

HALF = (0.5, 0.5, 0.5)
DIM = 24

AnyEncoder = TypeVar("AnyEncoder", Encoder, TextEncoder)


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


def text_card(**changes: object) -> TextCard:
    numbers = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 700,
        "max_position_embeddings": 12,
    }
    return TextCard(projection_dim=DIM, text_config=TextConfig.model_validate({**numbers, **changes}))


def wide_encoder(name: str, **changes: object) -> Encoder:
    """The encoder of a package's card, two layers deep, filled by `drawn`."""
    card = named_card(name)
    assert isinstance(card, EncoderCard)
    config = card.vision_config.model_copy(update={"num_hidden_layers": 2, **changes})
    with torch.device("meta"):
        encoder = Encoder(card.model_copy(update={"vision_config": config}))
    return drawn(encoder.to_empty(device="cpu"))


def wide_text_encoder(name: str, **changes: object) -> TextEncoder:
    """The text encoder of a package's card, two layers deep, filled by `drawn`."""
    card = named_card(name)
    assert isinstance(card, TextCard)
    config = card.text_config.model_copy(update={"num_hidden_layers": 2, **changes})
    with torch.device("meta"):
        encoder = TextEncoder(card.model_copy(update={"text_config": config}))
    return drawn(encoder.to_empty(device="cpu"))


def randomised(encoder: AnyEncoder, seed: int = 0) -> AnyEncoder:
    """Fill every parameter, biases and gains too, so that a mixed-up one shows."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.2, generator=generator)
    return encoder.eval()


def drawn(encoder: AnyEncoder) -> AnyEncoder:
    """Fill every parameter at scales that keep a wide tower's attention from saturating."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in encoder.named_parameters():
        if parameter.ndim > 1 and "embedding" not in name:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5, generator=generator)
        else:
            mean = float("norm" in name and name.endswith("weight"))
            nn.init.normal_(parameter, mean, 0.2, generator=generator)
    return encoder.eval()
