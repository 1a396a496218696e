# SPDX-License-Identifier: Apache-2.0
"""Low-rank updates begin as nothing and end in the weights."""

from __future__ import annotations

import torch
from hardening_run import small_encoder

from rvl_edge.offline.hardening.lora import LoraLinear, add_lora, merge_lora


def test_a_fresh_update_changes_nothing_and_only_updates_learn() -> None:
    plain, adapted = small_encoder(), small_encoder()
    add_lora(adapted, 2, 4.0, ("q_proj", "fc1"))
    pixels = torch.randn(3, 3, 16, 16)
    torch.testing.assert_close(adapted.features(pixels), plain.features(pixels), atol=0, rtol=0)
    learning = {name for name, each in adapted.named_parameters() if each.requires_grad}
    assert {name.rpartition(".")[2] for name in learning} == {"up", "down"}
    assert len(learning) == 4


def test_merged_equals_unmerged_and_has_the_plain_encoders_keys() -> None:
    encoder = small_encoder()
    keys = list(encoder.state_dict())
    add_lora(encoder, 2, 4.0, ("q_proj", "k_proj", "v_proj", "out_proj"))
    for layer in encoder.modules():
        if isinstance(layer, LoraLinear):
            torch.nn.init.normal_(layer.up, std=0.3)
    pixels = torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        unmerged = encoder.features(pixels)
        merge_lora(encoder)
        torch.testing.assert_close(encoder.features(pixels), unmerged, atol=1e-6, rtol=1e-5)
    assert list(encoder.state_dict()) == keys
