# SPDX-License-Identifier: Apache-2.0
"""What tells one encoder from another in a result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_sets import small_encoder

from rvl_edge.offline.evaluation.subjects import checkpoint_judge
from rvl_edge.offline.hardening.domains import domain_of
from rvl_edge.offline.towers import Encoder


def _sha256(encoder: Encoder) -> str:
    anchors = np.eye(2, encoder.card.projection_dim, dtype=np.float32)
    return checkpoint_judge("x", encoder, anchors, domain_of(encoder.card.preprocess)).subject.sha256


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("preprocess", {"mean": (0.4, 0.5, 0.5)}),
        ("vision_config", {"hidden_act": "quick_gelu"}),
        ("vision_config", {"num_attention_heads": 4}),
        ("vision_config", {"layer_norm_eps": 1e-3}),
    ],
)
def test_equal_weights_that_answer_otherwise_are_another_encoder(part: str, change: dict[str, Any]) -> None:
    one = small_encoder()
    assert _sha256(one) == _sha256(small_encoder())
    changed = getattr(one.card, part).model_copy(update=change)
    assert changed != getattr(one.card, part)
    other = Encoder(one.card.model_copy(update={part: changed}))
    other.load_state_dict(one.state_dict())
    assert _sha256(other) != _sha256(one)
