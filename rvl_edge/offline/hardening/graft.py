# SPDX-License-Identifier: Apache-2.0
"""What hardening did to one sense's encoder, put into another sense's of the same origin."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.hardening.recipe import GraftRecipe
from rvl_edge.offline.towers import Encoder, open_encoder


@torch.no_grad()
def graft(encoder: Encoder, recipe: GraftRecipe) -> None:
    """Replace each weight w that both senses have by `hardened + own (w - plain)`.

    A sum of what two trainings did to one encoder (task arithmetic, Ilharco et al., arXiv:2212.04089), the
    second one scaled down. Encoders that began as copies of one another, as LanguageBind's senses and the
    embedded video encoder did, are near enough for it; others are not, and nothing here can tell. Weights of
    other names or shapes, and the logit scale, stay as they are.

    Raises:
        CheckpointError: a checkpoint cannot be read, the two are not of one kind, or share nothing with the
            encoder.
    """
    plain = open_encoder(recipe.plain).state_dict()
    hardened = open_encoder(recipe.hardened).state_dict()
    if _shapes(plain) != _shapes(hardened):
        raise CheckpointError(
            "the two checkpoints of a graft are not of one encoder",
            got=f"{recipe.plain} and {recipe.hardened}",
            fix="name an encoder before and after it was hardened",
        )
    own = encoder.state_dict()
    shared = [
        name
        for name, each in plain.items()
        if name in own and own[name].shape == each.shape and name != "logit_scale"
    ]
    if not shared:
        raise CheckpointError(
            "the encoder has no weights in common with the graft",
            got=recipe.plain,
            fix="graft from an encoder of the same sizes",
        )
    for name in shared:
        own[name].copy_(hardened[name] + recipe.own * (own[name] - plain[name]))


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: each.shape for name, each in weights.items()}
