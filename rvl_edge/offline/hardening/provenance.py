# SPDX-License-Identifier: Apache-2.0
"""What a hardened checkpoint was made from, and with what."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from rvl_edge._files import write_atomic
from rvl_edge.bundle.files import hash_file
from rvl_edge.offline.hardening.recipe import HardenRecipe
from rvl_edge.offline.towers.weights import find_weights
from rvl_edge.offline.training.journal import EpochMetrics
from rvl_edge.offline.training.processes import Processes

PROVENANCE_NAME = "hardening.json"
_MOST_HASHED = 64


def write_provenance(
    folder: Path,
    recipe: HardenRecipe,
    *,
    files: Sequence[Path],
    home: Path,
    metrics: Sequence[EpochMetrics],
    validation: Mapping[str, float],
    processes: Processes,
) -> None:
    """Write `hardening.json` into the folder of a checkpoint.

    Args:
        folder: the checkpoint.
        recipe: what was trained, written out with all its defaults.
        files: training data; of more than a few, names and sizes are hashed instead of their content.
        home: folder that the files are named relative to.
        metrics: of all stages.
        validation: accuracy of what is written.
        processes: that trained it.
    """
    seconds = sum(each.seconds for each in metrics)
    drawn = sum(each.seconds * each.samples_per_second for each in metrics)
    grafted = () if recipe.graft is None else (recipe.graft.plain, recipe.graft.hardened)
    document = {
        "recipe": recipe.model_dump(mode="json"),
        "recipe sha256": recipe.sha256,
        "seed": recipe.seed,
        "checkpoint sha256": {path.name: _hash(path) for path in find_weights(recipe.checkpoint)},
        "text sha256": {path.name: _hash(path) for path in find_weights(recipe.text)},
        "graft sha256": [_hash(path) for folder in grafted for path in find_weights(folder)],
        "data sha256": _data(files, home),
        "torch": torch.__version__,
        "device": _device(processes.device),
        "processes": processes.count,
        "fsdp": processes.spread,
        "training seconds": round(seconds, 1),
        "samples per second": round(drawn / seconds, 1) if seconds else None,
        "validation": dict(validation),
    }
    write_atomic(folder / PROVENANCE_NAME, (json.dumps(document, indent=2) + "\n").encode())


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hash_file(file)


def _data(files: Sequence[Path], home: Path) -> dict[str, str]:
    names = {path: os.path.relpath(path, home) for path in files}
    if len(files) <= _MOST_HASHED:
        return {name: _hash(path) for path, name in names.items()}
    lines = sorted(f"{name} {path.stat().st_size}\n" for path, name in names.items())
    return {f"names and sizes of {len(lines)} files": hashlib.sha256("".join(lines).encode()).hexdigest()}


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
