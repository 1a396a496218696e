# SPDX-License-Identifier: Apache-2.0
"""A step of adversarial training: draw, attack, and the terms of the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from rvl_edge.offline.hardening.dual import DualAscent
from rvl_edge.offline.hardening.objectives.interface import (
    Batch,
    Dual,
    Objective,
    Scene,
    TrainsText,
    original_features,
)
from rvl_edge.offline.hardening.recipe import Precision, StageRecipe
from rvl_edge.offline.hardening.scene import with_new_anchors
from rvl_edge.offline.hardening.sources.source import Source, step_seed, whose_turn
from rvl_edge.offline.training.processes import Processes
from rvl_edge.offline.training.snapshot import Stateful

_TEXTS = 1 << 40  # keeps the choice of texts apart from the noise of samples


class Hardening:
    """One stage as the loop sees it, a `Learner`.

    Student and original compute in evaluation mode throughout: features of pictures with dropped patches
    would be held to a target that the robot never computes.

    Args:
        recipe: the numbers.
        seed: of the stage.
        scenes: one a label set, which take turns; their student is trained, and their text encoder where the
            objective says so.
        source: training samples.
        validate: scenes -> accuracy by label set.
        processes: among which this is one.
    """

    def __init__(
        self,
        recipe: StageRecipe,
        seed: int,
        scenes: Sequence[Scene],
        *,
        source: Source,
        validate: Callable[[Sequence[Scene]], dict[str, float]],
        processes: Processes,
    ) -> None:
        self._recipe, self._seed, self._source, self._validate = recipe, seed, source, validate
        self._processes = processes
        objective, scene = recipe.objective, scenes[0]
        modules = nn.ModuleDict({"student": scene.student})
        self._trains_text = isinstance(objective, TrainsText) and objective.trains_text
        if self._trains_text:
            assert scene.text is not None  # `make_scenes` gives one
            modules["text"] = scene.text.encoder.requires_grad_(True)
        self.module: nn.Module = modules.eval()
        self.parts: Mapping[str, Stateful] = {}
        self._dual: DualAscent | None = None
        if isinstance(objective, Dual):
            self._dual = DualAscent(objective, scene, seed, processes)
            self.parts = {"dual": self._dual}
            scenes = [replace(each, dual=self._dual.multipliers) for each in scenes]
        self._scenes = scenes
        self._terms = processes.synchronised(_Terms(objective, scenes, modules))
        learning = [each for each in modules.parameters() if each.requires_grad]
        self._trained = [] if processes.spread else learning  # FSDP asks once whether a weight learns
        self._last: tuple[int, Batch] | None = None

    def loss(self, step: int) -> dict[str, Tensor]:
        """See `Learner`."""
        recipe, device = self._recipe, self._processes.device
        rows = self._processes.share(recipe.batch_size)
        drawn = self._source.batch(step, rows)
        scene = self._scene(step)
        samples, labels = (each.to(device, non_blocking=True) for each in (drawn.samples, drawn.labels))
        with _autocast(device, recipe.precision):
            batch = Batch(samples, labels, original_features(scene, samples))
        batch = self._with_texts(batch, step, rows)
        adversarial = self._attack(batch, step, rows)
        self._last = (step, batch)
        with _autocast(device, recipe.precision):
            terms: dict[str, Tensor] = self._terms(whose_turn(step, len(self._scenes)), batch, adversarial)
        return terms

    def after_step(self) -> None:
        """See `Learner`."""
        if self._dual is not None and self._last is not None:
            with _autocast(self._processes.device, self._recipe.precision):
                self._dual.step(self._scene(self._last[0]), *self._last)

    def validate(self) -> dict[str, float]:
        """See `Learner`."""
        scenes = self._scenes
        if self._trains_text:
            scenes = [with_new_anchors(each) for each in scenes]
        return self._validate(scenes)

    def _scene(self, step: int) -> Scene:
        return self._scenes[whose_turn(step, len(self._scenes))]

    def _with_texts(self, batch: Batch, step: int, rows: slice) -> Batch:
        """The batch with attacked texts, where the method wants them."""
        recipe = self._recipe
        if not isinstance(recipe.objective, TrainsText):
            return batch
        generator = torch.Generator().manual_seed(_TEXTS + step_seed(self._seed, step))
        chance = torch.rand(recipe.batch_size, generator=generator)[rows]
        with _autocast(self._processes.device, recipe.attack_precision or recipe.precision), torch.no_grad():
            return replace(batch, texts=recipe.objective.texts(self._scene(step), batch, chance))

    def _attack(self, batch: Batch, step: int, rows: slice) -> Tensor:
        """Perturbed samples, from starts drawn for the whole batch of all processes."""
        recipe, device = self._recipe, self._processes.device
        attack = recipe.attack.build()
        generator = torch.Generator(device).manual_seed(step_seed(self._seed, step))
        whole = batch.samples.new_empty(()).expand(recipe.batch_size, *batch.samples.shape[1:])
        start = (batch.samples + attack.threat.noise(whole, generator)[rows]).clamp(0, 1)
        with _autocast(device, recipe.attack_precision or recipe.precision), _frozen(self._trained):
            return attack(recipe.objective.goal(self._scene(step), batch), batch.samples, start=start)


class _Terms(nn.Module):
    """All terms as one forward pass, which is what data-parallel wrappers see gradients through."""

    def __init__(self, objective: Objective, scenes: Sequence[Scene], trained: nn.Module) -> None:
        super().__init__()
        self._objective, self._scenes, self.trained = objective, scenes, trained

    def forward(self, label_set: int, batch: Batch, adversarial: Tensor) -> dict[str, Tensor]:
        return self._objective.terms(self._scenes[label_set], batch, adversarial)


def _autocast(device: torch.device, precision: Precision) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def _frozen(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """No gradients of weights within the block, so nothing is kept for them."""
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
