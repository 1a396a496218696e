# SPDX-License-Identifier: Apache-2.0
"""What a hardened checkpoint was made from, and with what."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from rvl_edge._files import write_atomic
from rvl_edge.offline.hardening.recipe import HardenRecipe
from rvl_edge.offline.training.journal import EpochMetrics
from rvl_edge.offline.training.processes import Processes

PROVENANCE_NAME = "hardening.json"


def write_provenance(
    folder: Path,
    recipe: HardenRecipe,
    *,
    origin: Mapping[str, Any],
    metrics: Sequence[EpochMetrics],
    validation: Mapping[str, float],
    processes: Processes,
) -> None:
    """Write `hardening.json` into the folder of a checkpoint.

    Args:
        folder: the checkpoint.
        recipe: what was trained, written out with all its defaults.
        origin: of what, by `origin_of`.
        metrics: of all stages.
        validation: accuracy of what is written, before it was rounded to float16.
        processes: that trained it.
    """
    seconds = sum(each.seconds for each in metrics)
    drawn = sum(each.seconds * each.samples_per_second for each in metrics)
    document = {
        "recipe": recipe.model_dump(mode="json"),
        "recipe sha256": recipe.sha256,
        "seed": recipe.seed,
        **origin,
        "torch": torch.__version__,
        "device": _device(processes.device),
        "processes": processes.count,
        "fsdp": processes.spread,
        "training seconds": round(seconds, 1),
        "samples per second": round(drawn / seconds, 1) if seconds else None,
        "validation": dict(validation),
    }
    write_atomic(folder / PROVENANCE_NAME, (json.dumps(document, indent=2) + "\n").encode())


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
