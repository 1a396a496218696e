# SPDX-License-Identifier: Apache-2.0
"""The checkpoints of a recipe, opened and held against what the recipe says of them."""

from __future__ import annotations

from pathlib import Path

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.exporting.recipe import ExportRecipe
from rvl_edge.offline.towers import Encoder, TextEncoder, open_checkpoint
from rvl_edge.offline.towers.checkpoint import inspect_checkpoint, open_text, text_fingerprint
from rvl_edge.types import Modality


def open_sense(folder: Path, modality: Modality, dim: int) -> Encoder:
    """Load a sense's encoder whose embeddings lie in a space of `dim` dimensions.

    Raises:
        CheckpointError: the folder cannot be read, or holds another sense or another size.
    """
    encoder = open_checkpoint(folder)
    if not isinstance(encoder, Encoder):
        raise CheckpointError(
            f"{folder} holds another tower", got="a text encoder", expected=f"an encoder of {modality}"
        )
    card = encoder.card
    if card.modality is not modality or card.projection_dim != dim:
        raise CheckpointError(
            f"{folder} is no {modality} encoder of this bundle",
            got=f"{card.modality}, embedding size {card.projection_dim}",
            expected=f"{modality}, embedding size {dim}",
        )
    return encoder


def open_shared_text(recipe: ExportRecipe) -> TextEncoder:
    """Load the text tower that all senses of a recipe were bound to.

    Raises:
        CheckpointError: the folder has none, or a sense's checkpoint brings another one.
    """
    bring_their_own = [
        sense.checkpoint
        for sense in recipe.senses.values()
        if sense.checkpoint != recipe.text and inspect_checkpoint(sense.checkpoint).text is not None
    ]
    if bring_their_own:
        shared = text_fingerprint(recipe.text)
        for folder in bring_their_own:
            if text_fingerprint(folder) != shared:
                raise CheckpointError(
                    f"{folder} was bound to another text tower than that of {recipe.text}",
                    fix="export it into a bundle of its own: their embeddings cannot be compared",
                )
    return open_text(recipe.text)
