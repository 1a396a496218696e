# SPDX-License-Identifier: Apache-2.0
"""Clean and robust accuracy after each pass, every process on its part of the validation samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from rvl_edge.offline.evaluation.robust import validate
from rvl_edge.offline.hardening.objectives.interface import Scene
from rvl_edge.offline.hardening.recipe import StageRecipe
from rvl_edge.offline.hardening.sources.source import Labelled
from rvl_edge.offline.training.processes import Processes

_STEPS = 10


def validator(
    samples: Labelled, recipe: StageRecipe, processes: Processes
) -> Callable[[Scene], dict[str, float]]:
    """A function from the scene to `clean` and `robust`: PGD of 10 steps within the stage's own threat."""
    attack = replace(
        recipe.attack.build(), steps=_STEPS, step_size=recipe.attack.eps / 4, momentum=0.0, restarts=1
    )
    precision = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
    # Where weights are spread, a process cannot compute without the others: all measure the same samples.
    own = slice(None) if processes.spread else slice(processes.index, None, processes.count)

    def measure(scene: Scene) -> dict[str, float]:
        found = validate(scene, samples.samples[own], samples.labels[own], attack, precision=precision)
        mine = len(samples.labels[own])
        counts = [found.clean.value * mine, found.robust.value * mine, mine]
        clean, robust, count = processes.sum(torch.tensor(counts, device=processes.device)).tolist()
        return {"clean": clean / count, "robust": robust / count}

    return measure
