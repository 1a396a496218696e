# SPDX-License-Identifier: Apache-2.0
"""Adversarial training of one stage: killed at any time, it goes on exactly where it was."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rvl_edge.offline.hardening.objectives.interface import Batch, Scene, original_features
from rvl_edge.offline.hardening.recipe import StageRecipe
from rvl_edge.offline.hardening.sources import Source
from rvl_edge.offline.training.optimisation import Average, Optimiser, warm_cosine
from rvl_edge.offline.training.snapshot import load_snapshot, save_snapshot

METRICS_NAME, SNAPSHOT_NAME = "metrics.jsonl", "snapshot.pt"
_SNAPSHOT_EVERY = 100  # steps

Report = Callable[[int, int, float, float], None]


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage, ready to be trained."""

    recipe: StageRecipe
    seed: int
    scene: Scene
    source: Source
    validate: Callable[[Scene], dict[str, float]]

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps a pass."""
        return max(1, len(self.source.labels) // self.recipe.batch_size)


def train(stage: Stage, folder: Path, report: Report) -> None:
    """Train to the end of the stage; the student then holds the averaged weights, in evaluation mode.

    Every random draw of a step comes from the seed, the stage and the step, so the state to go on from is
    the step, weights, average and optimiser.

    Args:
        stage: what to train.
        folder: for the snapshot and the metrics.
        report: called after each step with step, steps, loss and samples per second.
    """
    recipe, student = stage.recipe, stage.scene.student
    student.logit_scale.requires_grad_(False)
    total = recipe.epochs * stage.steps_per_epoch
    optimiser = Optimiser(student, recipe.lr, recipe.weight_decay)
    average = Average(student, recipe.average_decay)
    begin = load_snapshot(folder / SNAPSHOT_NAME, student, average, optimiser)
    clock = time.perf_counter()
    for step in range(begin, total):
        epoch, place = divmod(step, stage.steps_per_epoch)
        loss = _step(stage, _indices(stage, epoch, place), step)
        loss.backward()
        optimiser.step(warm_cosine(step / total, recipe.warm_up))
        average.update(student, step)
        rate = (step + 1 - begin) * recipe.batch_size / (time.perf_counter() - clock)
        report(step + 1, total, float(loss.detach()), rate)
        last = place + 1 == stage.steps_per_epoch
        if last:
            with average.applied(student):
                metrics = {"epoch": epoch + 1, "loss": float(loss.detach()), **stage.validate(stage.scene)}
            with (folder / METRICS_NAME).open("a", encoding="utf-8") as file:
                file.write(json.dumps(metrics) + "\n")
        if last or (step + 1) % _SNAPSHOT_EVERY == 0:
            save_snapshot(folder / SNAPSHOT_NAME, step + 1, student, average, optimiser)
    student.load_state_dict(average.weights)
    student.eval()


def _indices(stage: Stage, epoch: int, place: int) -> Tensor:
    """Samples of one step: a fresh order every pass."""
    generator = torch.Generator().manual_seed(stage.seed * 1_000_003 + epoch)
    order = torch.randperm(len(stage.source.labels), generator=generator)
    return order[place * stage.recipe.batch_size : (place + 1) * stage.recipe.batch_size]


def _step(stage: Stage, index: Tensor, step: int) -> Tensor:
    torch.manual_seed(stage.seed * 1_000_003 + 500_009 + step)
    scene, recipe = stage.scene, stage.recipe
    samples = stage.source.draw(index)
    device = samples.device.type
    with torch.autocast(device, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        batch = Batch(samples, stage.source.labels[index], original_features(scene, samples))
        scene.student.eval().requires_grad_(False)
        adversarial = recipe.attack.build()(recipe.objective.goal(scene, batch), samples)
        scene.student.train().requires_grad_(True).logit_scale.requires_grad_(False)
        return torch.stack(list(recipe.objective.terms(scene, batch, adversarial).values())).sum()
