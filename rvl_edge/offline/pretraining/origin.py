# SPDX-License-Identifier: Apache-2.0
"""What a stage is trained from, by content: a recipe tells files and cards by name only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rvl_edge.offline.datasets.labels import LabelSetFile
from rvl_edge.offline.datasets.samples import Samples
from rvl_edge.offline.pretraining.recipe import PretrainRecipe
from rvl_edge.offline.towers import EncoderCard, TextCard
from rvl_edge.offline.training.fingerprints import json_sha256, weights_sha256
from rvl_edge.types import Modality


def identity_of(
    recipe: PretrainRecipe,
    number: int,
    *,
    cards: Sequence[EncoderCard | TextCard],
    label_sets: Mapping[str, LabelSetFile],
    templates: Mapping[Modality, tuple[str, ...]],
    data: Sequence[Samples],
    before: Sequence[Path],
) -> str:
    """What a snapshot of a stage must agree with to go on. Other stages of the recipe may change.

    Args:
        recipe: what is trained.
        number: of the stage, from 0.
        cards: architectures of the towers.
        label_sets: concepts of all senses.
        templates: prompts of all senses.
        data: parts of the set.
        before: checkpoints that the stage starts from.

    Raises:
        CheckpointError: a checkpoint that is not there.
    """
    stage = recipe.stages[number]
    content = [
        recipe.model_dump(mode="json", exclude={"label_sets", "stages"}),
        number,
        stage.model_dump(mode="json"),
        [each.model_dump(mode="json") for each in cards],
        {name: each.model_dump(mode="json") for name, each in label_sets.items()},
        {sense.value: prompts for sense, prompts in templates.items()},
        [_sha256(each) for each in data],
        [weights_sha256(each) for each in before],
    ]
    return f"{stage.modality} of {json_sha256(content)}"


def _sha256(samples: Samples) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(samples.data).data)
    digest.update(np.ascontiguousarray(samples.labels).data)
    return digest.hexdigest()
