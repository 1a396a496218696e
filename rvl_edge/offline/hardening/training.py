# SPDX-License-Identifier: Apache-2.0
"""One stage of adversarial training, as the loop of `rvl_edge.offline.training` runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.learner import Hardening
from rvl_edge.offline.hardening.objectives.interface import Scene
from rvl_edge.offline.hardening.recipe import StageRecipe
from rvl_edge.offline.hardening.sources.source import Source
from rvl_edge.offline.training import loop
from rvl_edge.offline.training.loop import Plan, Report
from rvl_edge.offline.training.processes import Processes

_SNAPSHOT_EVERY = 200  # steps


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage, ready to be trained.

    Attributes:
        recipe: the numbers.
        identity: of the recipe and the stage in it.
        seed: of this stage.
        scenes: one a label set; their student is trained, and their text encoder where the objective says so.
        source: training samples.
        length: part of the steps to train.
        validate: scenes -> accuracy by label set.
    """

    recipe: StageRecipe
    identity: str
    seed: int
    scenes: Sequence[Scene]
    source: Source
    validate: Callable[[Sequence[Scene]], dict[str, float]]
    length: float = 1.0

    @property
    def steps(self) -> int:
        """Optimiser steps in all.

        Raises:
            ConfigError: the recipe counts passes of a stream.
        """
        return max(1, round(self.length * self._whole))

    @property
    def _whole(self) -> int:
        if self.recipe.steps is not None:
            return self.recipe.steps
        if self.source.steps_per_epoch is None:
            raise ConfigError(
                "passes over a stream cannot be counted", fix="give `steps` instead of `epochs`"
            )
        assert self.recipe.epochs is not None  # one of the two is given
        return self.recipe.epochs * self.source.steps_per_epoch

    def plan(self, *, board: bool = False) -> Plan:
        """The numbers of the training, for the loop.

        Args:
            board: write TensorBoard's event files as well.

        Raises:
            ConfigError: the recipe counts passes of a stream, or so few steps that nothing would be learned.
        """
        recipe, steps = self.recipe, self.steps
        return Plan(
            identity=self.identity,
            steps=steps,
            steps_per_epoch=recipe.validate_every or self.source.steps_per_epoch or steps,
            batch_size=recipe.batch_size,
            lr=recipe.lr,
            weight_decay=recipe.weight_decay,
            warm_up=recipe.warm_up,
            average_decay=recipe.average_decay,
            optimiser=recipe.optimiser,
            largest_gradient=recipe.largest_gradient,
            snapshot_every=_SNAPSHOT_EVERY,
            board=board,
        )


def train(stage: Stage, folder: Path, processes: Processes, report: Report, *, board: bool = False) -> None:
    """Train to the end of the stage; the student then holds the averaged weights, in evaluation mode.

    Args:
        stage: what to train.
        folder: for the snapshot and the metrics; see `rvl_edge.offline.training.loop.train`.
        processes: among which this is one.
        report: called after each step with step, steps, loss and samples per second.
        board: write TensorBoard's event files as well.
    """
    learner = Hardening(
        stage.recipe,
        stage.seed,
        stage.scenes,
        source=stage.source,
        validate=stage.validate,
        processes=processes,
    )
    loop.train(learner, stage.plan(board=board), folder, processes, report)
