# SPDX-License-Identifier: Apache-2.0
"""The towers against open_clip's, with the same weights under its names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import open_clip.transformer
import pytest
import torch
from small_cards import image_card, randomised, text_card, wide_encoder, wide_text_encoder
from torch import Tensor, nn
from torch.nn import functional

from rvl_edge.offline.towers import Encoder, TextEncoder

_LAYER_NAMES = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_ACTIVATIONS = {"gelu": nn.GELU, "quick_gelu": open_clip.transformer.QuickGELU}
_KINDS = [{}, {"hidden_act": "quick_gelu"}, {"layer_norm_eps": 0.3}]


def _layers(weights: dict[str, Tensor], prefix: str, count: int) -> dict[str, Tensor]:
    renamed = {}
    for layer in range(count):
        ours, theirs = f"{prefix}.encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            parts = [weights[f"{ours}.self_attn.{each}_proj.{kind}"] for each in "qkv"]
            renamed[f"{theirs}.attn.in_proj_{kind}"] = torch.cat(parts)
            for our_name, their_name in _LAYER_NAMES.items():
                renamed[f"{theirs}.{their_name}.{kind}"] = weights[f"{ours}.{our_name}.{kind}"]
    return renamed


def _vision_reference(encoder: Encoder) -> nn.Module:
    config, weights = encoder.card.vision_config, encoder.state_dict()
    reference = open_clip.transformer.VisionTransformer(
        image_size=config.image_size,
        patch_size=config.patch_size,
        width=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        mlp_ratio=config.intermediate_size / config.hidden_size,
        act_layer=_ACTIVATIONS[config.hidden_act],
        norm_layer=partial(open_clip.transformer.LayerNorm, eps=config.layer_norm_eps),
        output_dim=encoder.card.projection_dim,
    )
    embeddings = "vision_model.embeddings"
    renamed = {
        "class_embedding": weights[f"{embeddings}.class_embedding"],
        "conv1.weight": weights[f"{embeddings}.patch_embedding.weight"],
        "positional_embedding": weights[f"{embeddings}.position_embedding.weight"],
        "proj": weights["visual_projection.weight"].T,
    }
    for kind in ("weight", "bias"):
        renamed[f"ln_pre.{kind}"] = weights[f"vision_model.pre_layrnorm.{kind}"]
        renamed[f"ln_post.{kind}"] = weights[f"vision_model.post_layernorm.{kind}"]
    reference.load_state_dict(renamed | _layers(weights, "vision_model", config.num_hidden_layers))
    return reference.eval()


def _text_reference(encoder: TextEncoder) -> nn.Module:
    config, weights = encoder.card.text_config, encoder.state_dict()
    reference = open_clip.transformer.TextTransformer(
        context_length=config.max_position_embeddings,
        vocab_size=config.vocab_size,
        width=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        mlp_ratio=config.intermediate_size / config.hidden_size,
        act_layer=_ACTIVATIONS[config.hidden_act],
        norm_layer=partial(open_clip.transformer.LayerNorm, eps=config.layer_norm_eps),
        output_dim=encoder.card.projection_dim,
        pool_type="argmax",
    )
    renamed = {
        "token_embedding.weight": weights["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": weights["text_model.embeddings.position_embedding.weight"],
        "ln_final.weight": weights["text_model.final_layer_norm.weight"],
        "ln_final.bias": weights["text_model.final_layer_norm.bias"],
        "text_projection": weights["text_projection.weight"].T,
    }
    renamed |= _layers(weights, "text_model", config.num_hidden_layers)
    reference.load_state_dict(renamed, strict=False)  # the causal mask is a buffer of theirs
    return reference.eval()


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("learning", [True, False])  # attention takes another path when gradients are wanted
def test_the_vision_tower_is_open_clips(learning: bool, kind: dict[str, object]) -> None:
    encoder = randomised(Encoder(image_card(**kind)))
    pixels = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.set_grad_enabled(learning):
        ours, theirs = encoder.features(pixels), _vision_reference(encoder)(pixels)
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", _KINDS)
def test_the_text_tower_is_open_clips_wherever_the_text_ends(kind: dict[str, object]) -> None:
    encoder = randomised(TextEncoder(text_card(**kind)))
    ids = _texts(encoder, ends=(1, 3, 5, 7, 9, 11))
    with torch.no_grad():
        ours, theirs = encoder.features(ids), _text_reference(encoder)(ids)
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["languagebind-image", "clip-vit-b-32-quickgelu"])
def test_two_layers_at_full_width_see_as_open_clips(name: str) -> None:
    encoder = wide_encoder(name)
    pixels = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = functional.normalize(_vision_reference(encoder)(pixels), dim=-1)
        assert (encoder.encode(pixels) - theirs).abs().max() < 1e-6


@pytest.mark.parametrize("name", ["languagebind-text", "clip-vit-b-16-quickgelu-text"])
def test_two_layers_at_full_width_read_as_open_clips(name: str) -> None:
    encoder = wide_text_encoder(name, vocab_size=700)
    ids = _texts(encoder, ends=(1, 20, 76))
    with torch.no_grad():
        theirs = functional.normalize(_text_reference(encoder)(ids), dim=-1)
        assert (encoder.encode(ids) - theirs).abs().max() < 1e-6


def _texts(encoder: TextEncoder, ends: Sequence[int]) -> Tensor:
    """Rows of random ids, each filled up with the id that ends a text from its place in `ends` on."""
    config = encoder.card.text_config
    last = config.vocab_size - 1
    size = (len(ends), config.max_position_embeddings)
    ids = torch.randint(1, last - 1, size, generator=torch.Generator().manual_seed(1))
    for row, end in enumerate(ends):
        ids[row, end:] = last
    return ids


def test_what_follows_the_end_of_a_text_changes_nothing() -> None:
    encoder = randomised(TextEncoder(text_card()))
    last = encoder.card.text_config.vocab_size - 1
    ids = torch.full((2, 12), last)
    ids[:, :4] = torch.tensor([5, 6, 7, 8])
    ids[1, 5:] = 3
    with torch.no_grad():
        padded, other = encoder.encode(ids)
        cut = encoder.encode(ids[:1, :5])[0]
    assert torch.allclose(padded, other, atol=1e-6)
    assert torch.allclose(padded, cut, atol=1e-6)
