# SPDX-License-Identifier: Apache-2.0
"""Attention over frames, written out; PatchDropout; and the start from the image tower."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_cards import image_card, randomised, video_card, vision_config

from rvl_edge.errors import BadShape
from rvl_edge.offline.towers import Encoder
from rvl_edge.offline.towers.inheriting import inherit
from rvl_edge.offline.towers.initialisation import initialise, sinusoids
from rvl_edge.offline.towers.patch_dropout import drop_patches
from rvl_edge.offline.towers.temporal import SpatioTemporalBlock

WIDTH, HEADS, FRAMES = 8, 2, 3


def _normed(x: torch.Tensor, layer: torch.nn.LayerNorm) -> torch.Tensor:
    centred = x - x.mean()
    return centred / torch.sqrt((centred**2).mean() + layer.eps) * layer.weight + layer.bias


def test_a_token_attends_to_itself_in_the_other_frames_and_keeps_the_time_embedding() -> None:
    torch.manual_seed(0)
    mixer = SpatioTemporalBlock(
        vision_config(hidden_size=WIDTH, num_attention_heads=HEADS, num_frames=FRAMES, add_time_attn=True)
    )
    for parameter in mixer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    clips, tokens = 2, 5
    given_tokens = torch.randn(clips * FRAMES, tokens, WIDTH)
    expected = torch.empty_like(given_tokens)
    attention, size = mixer.temporal_attn, WIDTH // HEADS
    for clip in range(clips):
        for token in range(tokens):
            rows = [
                given_tokens[clip * FRAMES + t, token] + mixer.temporal_embedding[0, t] for t in range(FRAMES)
            ]
            normed = [_normed(row, mixer.temporal_layer_norm1) for row in rows]
            query, key, value = (
                [each.weight @ row + each.bias for row in normed]
                for each in (attention.q_proj, attention.k_proj, attention.v_proj)
            )
            for t in range(FRAMES):
                heads = []
                for head in range(HEADS):
                    part = slice(head * size, (head + 1) * size)
                    scores = torch.stack([query[t][part] @ key[s][part] for s in range(FRAMES)]) / size**0.5
                    weights = scores.softmax(0)
                    heads.append(sum(weights[s] * value[s][part] for s in range(FRAMES)))
                mixed = attention.out_proj.weight @ torch.cat(heads) + attention.out_proj.bias
                expected[clip * FRAMES + t, token] = rows[t] + mixed
    assert torch.allclose(mixer.mix_frames(given_tokens), expected, atol=1e-5)


def test_a_clip_tower_sees_the_order_of_frames_and_not_that_of_clips() -> None:
    encoder = randomised(Encoder(video_card()))
    clips = torch.randn(3, 3, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        straight, backward = encoder.encode(clips), encoder.encode(clips.flip(2))
        turned = encoder.encode(clips.flip(0))
    assert torch.allclose(turned, straight.flip(0), atol=1e-6)
    assert (straight - backward).abs().max() > 1e-3


@pytest.mark.parametrize("shape", [(2, 3, 2, 16, 16), (4, 3, 16, 16), (1, 3, 8, 16, 16)])
def test_frames_of_different_clips_are_never_mixed(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadShape, match="expected 4"):
        Encoder(video_card(frames=4)).encode(torch.zeros(shape))


def test_a_clip_tower_starts_as_the_image_tower() -> None:
    image, video = Encoder(image_card()), Encoder(video_card())
    torch.manual_seed(0)
    initialise(image)
    inherit(video, image)
    for module in video.modules():
        if isinstance(module, SpatioTemporalBlock):
            torch.nn.init.zeros_(module.temporal_embedding)
    picture = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        still = video.eval().encode(picture[:, :, None].expand(-1, -1, 4, -1, -1))
        assert torch.allclose(still, image.eval().encode(picture), atol=1e-5)


def test_a_larger_patch_answers_a_flat_picture_alike() -> None:
    torch.manual_seed(0)
    source = Encoder(image_card())
    initialise(source)
    larger = Encoder(image_card(image_size=(32, 64), patch_size=8))
    inherit(larger, source)
    flat = torch.randn(1, 3, 1, 1)
    with torch.no_grad():
        before = source.vision_model.embeddings.patch_embedding(flat.expand(-1, -1, 16, 16))
        after = larger.vision_model.embeddings.patch_embedding(flat.expand(-1, -1, 32, 64))
    assert torch.allclose(after[..., 0, 0], before[..., 0, 0], atol=1e-4)
    assert larger.vision_model.embeddings.position_embedding.weight.shape == (1 + 4 * 8, 32)


def _kept(clips: int, frames: int, rows: int, columns: int, rate: float) -> torch.Tensor:
    """Numbers of the kept patches, (clips, frames, kept), 0 for the class token."""
    numbers = torch.arange(1 + rows * columns).float()
    offsets = 1000 * torch.arange(clips * frames)[:, None]
    kept = drop_patches((numbers + offsets)[..., None], rate, frames, columns)[..., 0] - offsets
    return kept.view(clips, frames, -1).long()


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6), st.floats(0.0, 0.95))
def test_kept_patches_are_different_and_the_same_in_all_frames(
    clips: int, frames: int, rows: int, columns: int, rate: float
) -> None:
    kept = _kept(clips, frames, rows, columns, rate)
    wanted = max(1, round(rows * columns * (1 - rate)))
    assert 1 + wanted / 2 <= kept.shape[2] <= 1 + wanted
    assert (kept == kept[:, :1]).all()
    assert (kept[..., 0] == 0).all()
    assert all(len(set(row.tolist())) == kept.shape[2] for row in kept[:, 0])


def test_every_second_clip_keeps_a_block_of_neighbours() -> None:
    torch.manual_seed(0)
    kept = _kept(400, 2, 8, 8, 0.75)[:, 0, 1:] - 1
    spans = [(each // 8, each % 8) for each in kept]
    blocks = [all(int(axis.max() - axis.min()) == 3 for axis in span) for span in spans]
    assert 150 < sum(blocks) < 250
    corners = {int(each.min()) for each, block in zip(kept, blocks, strict=True) if block}
    assert len(corners) == 25  # every place where a block of 4 x 4 fits


def test_positions_are_all_different_and_of_one_length() -> None:
    table = sinusoids(5, 7, 16)
    assert torch.pdist(table).min() > 0.1
    assert torch.allclose(table.norm(dim=1), torch.full((35,), 8**0.5))
