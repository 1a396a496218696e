# SPDX-License-Identifier: Apache-2.0
"""What a training starts from, by content: a recipe tells files by name only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rvl_edge.offline.hardening.objectives.interface import Scene
from rvl_edge.offline.hardening.recipe import HardenRecipe
from rvl_edge.offline.training.fingerprints import file_sha256, json_sha256, weights_sha256

_MOST_HASHED = 64
_LARGEST_HASHED = 1 << 30  # bytes in all: seconds, not minutes before the first step


def origin_of(
    recipe: HardenRecipe, scenes: Sequence[Scene], files: Sequence[Path], home: Path
) -> dict[str, Any]:
    """SHA-256 of all that a recipe names.

    Args:
        recipe: what is trained.
        scenes: as the recipe opens them.
        files: training data; of many or large ones, names and sizes are hashed instead of their content.
        home: folder that those are named relative to.
    """
    grafted = () if recipe.graft is None else (recipe.graft.plain, recipe.graft.hardened)
    texts = [(each.text.labels, each.text.templates, each.text.synonyms) for each in scenes if each.text]
    return {
        "checkpoint sha256": weights_sha256(recipe.checkpoint),
        "text sha256": weights_sha256(recipe.text),
        "graft sha256": [each for folder in grafted for each in weights_sha256(folder).values()],
        "labels sha256": json_sha256(texts),
        "words sha256": None if recipe.words is None else file_sha256(recipe.words),
        "data sha256": _data(files, home),
    }


def identity_of(recipe: HardenRecipe, origin: dict[str, Any]) -> str:
    """What a snapshot must agree with to go on."""
    return json_sha256([recipe.sha256, origin])


def _data(files: Sequence[Path], home: Path) -> dict[str, str]:
    names = {path: os.path.relpath(path, home) for path in files}
    sizes = {path: path.stat().st_size for path in files}
    if len(files) <= _MOST_HASHED and sum(sizes.values()) <= _LARGEST_HASHED:
        return {name: file_sha256(path) for path, name in names.items()}
    lines = sorted(f"{name} {sizes[path]}\n" for path, name in names.items())
    return {f"names and sizes of {len(lines)} files": hashlib.sha256("".join(lines).encode()).hexdigest()}
