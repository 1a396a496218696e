# SPDX-License-Identifier: Apache-2.0
"""The checkpoints of a recipe, held against what the recipe says of them before any is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rvl_edge.errors import CheckpointError
from rvl_edge.offline.exporting.recipe import ExportRecipe
from rvl_edge.offline.towers import EncoderCard
from rvl_edge.offline.towers.checkpoint import CheckpointReport, inspect_checkpoint, text_fingerprint
from rvl_edge.types import Modality


@dataclass(frozen=True)
class Sources:
    """What the checkpoints of a recipe are.

    Attributes:
        cards: of each sense's encoder.
        reports: what each folder holds.
    """

    cards: Mapping[Modality, EncoderCard]
    reports: Mapping[Path, CheckpointReport]

    @property
    def ignored(self) -> Mapping[str, tuple[str, ...]]:
        """By folder, where there are any; see `CheckpointReport`."""
        return {str(folder): each.ignored for folder, each in self.reports.items() if each.ignored}

    @property
    def assumed(self) -> Mapping[str, tuple[str, ...]]:
        """By folder, where there is any; see `CheckpointReport`."""
        return {str(folder): each.assumed for folder, each in self.reports.items() if each.assumed}


def check_sources(recipe: ExportRecipe) -> Sources:
    """Check that each sense's checkpoints are of that sense, and that all were bound to one text tower.

    Raises:
        CheckpointError: a folder that cannot be read, holds another sense or another embedding size, or
            brings another text tower than the recipe's.
    """
    reports = {recipe.text: inspect_checkpoint(recipe.text)}
    text = reports[recipe.text].text
    if text is None:
        raise CheckpointError(
            f"{recipe.text} holds no text encoder",
            fix="give a full checkpoint, or the folder of a text encoder",
        )
    cards: dict[Modality, EncoderCard] = {}
    shared = ""
    for modality, sense in recipe.senses.items():
        for folder in sense.checkpoints():
            report = reports[folder] if folder in reports else inspect_checkpoint(folder)
            reports[folder] = report
            card = _checked(report.encoder, modality, text.projection_dim, folder)
            if cards.setdefault(modality, card).preprocess != card.preprocess:
                raise CheckpointError(
                    f"{folder} is no sentinel of {sense.checkpoint}: it is fed in another way",
                    got=card.preprocess,
                    expected=cards[modality].preprocess,
                )
            if report.text is not None and folder != recipe.text:
                shared = shared or text_fingerprint(recipe.text)
                if text_fingerprint(folder) != shared:
                    raise CheckpointError(
                        f"{folder} was bound to another text tower than that of {recipe.text}",
                        fix="export it into a bundle of its own: their embeddings cannot be compared",
                    )
    return Sources(cards, reports)


def _checked(card: EncoderCard | None, modality: Modality, dim: int, folder: Path) -> EncoderCard:
    if card is None:
        raise CheckpointError(
            f"{folder} holds another tower", got="a text encoder", expected=f"an encoder of {modality}"
        )
    if card.modality is not modality or card.projection_dim != dim:
        raise CheckpointError(
            f"{folder} is no {modality} encoder of this bundle",
            got=f"{card.modality}, embedding size {card.projection_dim}",
            expected=f"{modality}, embedding size {dim}",
        )
    return card
