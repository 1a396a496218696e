# SPDX-License-Identifier: Apache-2.0
"""Every kind of vision tower against the same steps written out, small and at LanguageBind's width."""

from __future__ import annotations

import pytest
import torch
from plain_tower import plain_features
from small_cards import DIM, randomised, vision_config, wide_encoder
from torch import Tensor, nn

from rvl_edge.offline.towers import Encoder, EncoderCard
from rvl_edge.offline.towers.card import VisionConfig
from rvl_edge.preprocess.spec import ImageSpec
from rvl_edge.types import Modality

CLIP = {"num_frames": 3, "add_time_attn": True}
KINDS = {
    "picture": {},
    "OpenAI's GELU": {"hidden_act": "quick_gelu"},
    "clip with coarse norms": {**CLIP, "layer_norm_eps": 0.3},
    "wide spectrogram": {"image_size": (8, 28)},
    "clip": CLIP,
    "clip V1.5": {**CLIP, "clip_type": "vl_new"},
}
PUBLISHED = ["image", "video", "video-huge-v1.5-ft"]


def _encoder(config: VisionConfig) -> Encoder:
    """`preprocess` plays no part in a tower."""
    spec = ImageSpec(size=16, mean=(0.5,) * 3, std=(0.5,) * 3)
    return Encoder(
        EncoderCard(modality=Modality.IMAGE, projection_dim=DIM, vision_config=config, preprocess=spec)
    )


def _pixels(config: VisionConfig, count: int = 2) -> Tensor:
    size = tuple(each * config.patch_size for each in config.grid)
    frames = (config.num_frames,) if config.add_time_attn else ()
    return torch.randn(count, 3, *frames, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("learning", [True, False])  # attention takes another path when gradients are wanted
@pytest.mark.parametrize("kind", KINDS)
def test_a_small_tower_is_the_plain_one(kind: str, learning: bool) -> None:
    encoder = randomised(_encoder(vision_config(**KINDS[kind])))
    config = encoder.card.vision_config
    pixels = _pixels(config)
    with torch.set_grad_enabled(learning):
        ours = encoder.features(pixels)
    assert torch.allclose(ours, plain_features(encoder.state_dict(), config, pixels), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_two_layers_at_full_width_are_the_plain_ones(name: str) -> None:
    encoder = wide_encoder(f"languagebind-{name}", image_size=(28, 56))
    config = encoder.card.vision_config
    pixels = _pixels(config)
    with torch.no_grad():
        plain = plain_features(encoder.state_dict(), config, pixels)
        difference = encoder.encode(pixels) - nn.functional.normalize(plain, dim=-1)
    assert difference.abs().max() < 1e-6


@pytest.mark.parametrize("kind", ["OpenAI's GELU", "clip V1.5"])
def test_the_batch_stays_free_in_a_traced_tower(kind: str) -> None:
    encoder = randomised(_encoder(vision_config(**KINDS[kind])))
    config = encoder.card.vision_config
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        traced = torch.export.export(encoder, (_pixels(config),), dynamic_shapes=({0: batch},)).module()
        for count in (1, 3):
            pixels = _pixels(config, count)
            assert torch.allclose(traced(pixels), encoder(pixels), atol=1e-6)
