# SPDX-License-Identifier: Apache-2.0
"""The loop: killed at any time, it goes on exactly where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rvl_edge.errors import ConfigError
from rvl_edge.offline.training.journal import Board, EpochMetrics, append_metrics
from rvl_edge.offline.training.optimisation import Average, Optimiser, OptimiserName, Weights, warm_cosine
from rvl_edge.offline.training.processes import Processes
from rvl_edge.offline.training.snapshot import Stateful, load_snapshot, save_snapshot

METRICS_NAME, SNAPSHOT_NAME, BOARD_NAME = "metrics.jsonl", "snapshot.pt", "tensorboard"

Report = Callable[[int, int, float, float], None]


class Learner(Protocol):
    """What is trained, and how well it does."""

    @property
    def module(self) -> nn.Module:
        """Whose parameters are trained, averaged and kept."""

    @property
    def parts(self) -> Mapping[str, Stateful]:
        """Further state that a resumed training needs."""

    def loss(self, step: int) -> Mapping[str, Tensor]:
        """Weighted terms, whose sum is the loss of a step; its randomness depends on seed and step only."""

    def after_step(self) -> None:
        """Bounds of parameters, and what else has steps of its own."""

    def validate(self) -> dict[str, float]:
        """Accuracy of the module as it is, by question."""


@dataclass(frozen=True)
class Plan:
    """The numbers of a training.

    Attributes:
        identity: of what is trained, so that no other's snapshot is taken for it.
        steps: optimiser steps in all, at least 2.
        steps_per_epoch: steps between validations.
        batch_size: samples a step, over all processes.
        lr: peak learning rate, reached after the part `warm_up` of the steps.
        weight_decay: see `Optimiser`.
        average_decay: see `Average`.
        optimiser: see `Optimiser`.
        largest_gradient: norm that gradients are scaled down to; None leaves them.
        snapshot_every: steps between snapshots, beside one at each validation.
        board: write TensorBoard's event files.
    """

    identity: str
    steps: int
    steps_per_epoch: int
    batch_size: int
    lr: float
    weight_decay: float
    warm_up: float
    average_decay: float
    optimiser: OptimiserName = "muon"
    largest_gradient: float | None = None
    snapshot_every: int = 100
    board: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigError for so few steps that nothing would be learned."""
        if self.steps < 2:
            raise ConfigError(
                "a training of one step changes nothing: the first step's learning rate is 0",
                got=f"{self.identity}: {self.steps}",
                expected="2 steps or more",
                fix="raise its steps or epochs, or the --length of all",
            )


def train(learner: Learner, plan: Plan, folder: Path, processes: Processes, report: Report) -> None:
    """Train to the last step; the module then holds the averaged weights, in evaluation mode.

    Every random draw of a step comes from the seed and the step, so the state to go on from is the step,
    weights, average and optimiser, and the tally of the unfinished pass.

    Args:
        learner: what to train.
        plan: the numbers.
        folder: for the snapshot and the metrics; that of an earlier, cut-off training resumes it.
        processes: among which this is one.
        report: called after each step with step, steps, loss and samples per second, by the first process.

    Raises:
        CheckpointError: a snapshot of something else, or one that cannot be written.
        ConfigError: the loss or its gradients are no longer numbers; the last snapshot is kept.
    """
    module = learner.module
    optimiser = Optimiser(module, plan.lr, plan.weight_decay, plan.optimiser)
    average, tally = Average(module, plan.average_decay), _Tally()
    parts: dict[str, Stateful] = {
        "module": Weights(module),
        "average": average,
        "optimiser": optimiser,
        "tally": tally,
        **learner.parts,
    }
    begin = load_snapshot(folder / SNAPSHOT_NAME, plan.identity, parts)
    board = Board(folder / BOARD_NAME, begin) if plan.board and processes.first else None
    for step in range(begin, plan.steps):
        terms = learner.loss(step)
        torch.stack(list(terms.values())).sum().backward()
        norm = processes.whole(optimiser.gradient_norm(plan.largest_gradient))
        values = _finite(step, terms, norm, processes)
        rate = warm_cosine(step / plan.steps, plan.warm_up)
        optimiser.step(rate)
        learner.after_step()
        average.update(module, step)
        tally.add(values)
        done, last = step + 1, (step + 1) % plan.steps_per_epoch == 0 or step + 1 == plan.steps
        speed = tally.count * plan.batch_size / tally.seconds
        if processes.first:
            report(done, plan.steps, sum(values.values()), speed)
        if board is not None:
            curves = {f"loss/{name}": value for name, value in values.items()}
            board.add(done, {**curves, "gradient": float(norm), "lr": rate * plan.lr, "samples/s": speed})
        if last:
            metrics = tally.metrics(-(-done // plan.steps_per_epoch), plan.batch_size)
            with average.applied(module):
                accuracy = learner.validate()
            if processes.first:
                append_metrics(folder / METRICS_NAME, replace(metrics, accuracy=accuracy))
            if board is not None:
                board.add(done, {f"validation/{name}": value for name, value in accuracy.items()})
            tally.clear()
        if last or done % plan.snapshot_every == 0:
            state = processes.whole({name: part.state_dict() for name, part in parts.items()})
            if processes.first:
                save_snapshot(folder / SNAPSHOT_NAME, plan.identity, done, state)
    if board is not None:
        board.close()
    module.load_state_dict(average.weights)
    module.eval()


def _finite(step: int, terms: Mapping[str, Tensor], norm: Tensor, processes: Processes) -> dict[str, float]:
    """The terms as numbers, means over the processes; all processes stop if one of them has none."""
    reduced = processes.mean(torch.stack([*(each.detach().float() for each in terms.values()), norm.float()]))
    if not reduced.isfinite().all():
        names = [*terms, "gradient"]
        raise ConfigError(
            f"training broke off at step {step + 1}: its numbers are no longer finite",
            got=", ".join(f"{name} {value:.3g}" for name, value in zip(names, reduced.tolist(), strict=True)),
            fix="lower lr or set largest_gradient, and name another run folder; the last snapshot is kept",
        )
    return dict(zip(terms, reduced.tolist(), strict=False))


class _Tally:
    """Sums over the steps of a pass; a `Stateful`, for a pass may be interrupted."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._sums: dict[str, float] = {}
        self.count, self._before, self._clock = 0, 0.0, time.perf_counter()

    @property
    def seconds(self) -> float:
        return self._before + time.perf_counter() - self._clock

    def add(self, values: Mapping[str, float]) -> None:
        self.count += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def metrics(self, epoch: int, batch_size: int) -> EpochMetrics:
        terms = {name: total / self.count for name, total in self._sums.items()}
        seconds = self.seconds
        speed = self.count * batch_size / seconds
        return EpochMetrics(epoch, sum(terms.values()), {}, speed, seconds, terms)

    def state_dict(self) -> dict[str, Any]:
        return {"sums": dict(self._sums), "count": self.count, "seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._sums, self.count = dict(state["sums"]), int(state["count"])
        self._before, self._clock = float(state["seconds"]), time.perf_counter()
