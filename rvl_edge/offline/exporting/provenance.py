# SPDX-License-Identifier: Apache-2.0
"""What a bundle was made from, and with what."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import onnx
import onnxruntime
import torch

from rvl_edge.bundle.files import hash_file
from rvl_edge.offline.exporting.recipe import ExportRecipe
from rvl_edge.offline.towers.weights import find_weights


def provenance(recipe: ExportRecipe, recipe_hash: str) -> dict[str, str]:
    """Tool versions, and hashes of recipe and checkpoints."""
    folders = {str(modality): sense.checkpoint for modality, sense in recipe.senses.items()}
    sentinels = {name: sense.sentinel for name, sense in recipe.senses.items() if sense.sentinel is not None}
    folders |= {f"{modality} sentinel": folder for modality, folder in sentinels.items()}
    folders["text"] = recipe.text
    hashed = cache(weights_sha256)  # senses and text may share a folder
    return {
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "recipe sha256": recipe_hash,
        **{f"{name} checkpoint sha256": hashed(folder) for name, folder in folders.items()},
    }


def weights_sha256(folder: Path) -> str:
    """SHA-256 of a checkpoint's file of weights, or of each shard, with spaces between."""
    hashes = []
    for path in find_weights(folder):
        with path.open("rb") as file:
            hashes.append(hash_file(file))
    return " ".join(hashes)
