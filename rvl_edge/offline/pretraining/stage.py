# SPDX-License-Identifier: Apache-2.0
"""Training of one sense: its samples are bound to captions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from rvl_edge.offline.pretraining.captions import Captions
from rvl_edge.offline.pretraining.feeds import Feed
from rvl_edge.offline.pretraining.objectives import bind_synonyms, bind_to_text
from rvl_edge.offline.pretraining.recipe import StageRecipe
from rvl_edge.offline.pretraining.texts import TextSide
from rvl_edge.offline.towers import Encoder
from rvl_edge.offline.training import loop
from rvl_edge.offline.training.loop import METRICS_NAME, SNAPSHOT_NAME, Plan, Report
from rvl_edge.offline.training.processes import Processes
from rvl_edge.offline.training.snapshot import Stateful

__all__ = ["METRICS_NAME", "SNAPSHOT_NAME", "Report", "Stage", "train"]

_LARGEST_LOG_SCALE = 4.6052  # ln 100, CLIP's bound
_CAPTIONS_IN_FOCUS, _OTHER_CONCEPTS = 4, 64


@dataclass(frozen=True, eq=False)
class Stage:
    """What one sense is trained with.

    Attributes:
        recipe: the numbers.
        identity: of all that it is trained from.
        seed: of this stage.
        modules: `encoder`, and `text` where it is trained too.
        encoder: of the sense.
        text: captions -> embeddings.
        text_scale: of the text-to-text term; None where text is locked.
        captions: concepts.
        feed: samples.
        validate: averaged modules -> accuracy a label set.
    """

    recipe: StageRecipe
    identity: str
    seed: int
    modules: nn.ModuleDict
    encoder: Encoder
    text: TextSide
    text_scale: float | None
    captions: Captions
    feed: Feed
    validate: Callable[[nn.ModuleDict], dict[str, float]]

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps a pass."""
        return max(1, len(self.feed) * self.recipe.repeats // self.recipe.batch_size)


def train(stage: Stage, folder: Path, report: Report) -> None:
    """Train until the last pass; the modules then hold the averaged weights.

    Args:
        stage: what to train.
        folder: for the snapshot and the metrics; see `rvl_edge.offline.training.loop.train`.
        report: called after each step with step, steps, loss and samples per second.
    """
    recipe, steps = stage.recipe, stage.steps_per_epoch
    plan = Plan(
        identity=stage.identity,
        steps=recipe.epochs * steps,
        steps_per_epoch=steps,
        batch_size=recipe.batch_size,
        lr=recipe.lr,
        weight_decay=recipe.weight_decay,
        warm_up=recipe.warm_up,
        average_decay=recipe.average_decay,
        snapshot_every=steps,
    )
    loop.train(_Binding(stage), plan, folder, Processes("cpu"), report)


class _Binding:
    """The stage as the loop sees it, a `Learner`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.module: nn.Module = stage.modules
        self.parts: Mapping[str, Stateful] = {}

    def loss(self, step: int) -> dict[str, Tensor]:
        stage, recipe = self._stage, self._stage.recipe
        epoch, place = divmod(step, stage.steps_per_epoch)
        stage.modules.train()
        unmasked = epoch >= recipe.epochs - recipe.unmasked_epochs
        stage.encoder.vision_model.patch_dropout = 0.0 if unmasked else recipe.patch_dropout
        return {"binding": _loss(stage, _indices(stage, epoch, place), step)}

    @torch.no_grad()
    def after_step(self) -> None:
        self._stage.encoder.logit_scale.clamp_(max=_LARGEST_LOG_SCALE)

    def validate(self) -> dict[str, float]:
        return self._stage.validate(self._stage.modules)


def _indices(stage: Stage, epoch: int, place: int) -> Tensor:
    """Samples of one step: a fresh order every pass."""
    generator = torch.Generator().manual_seed(stage.seed * 1_000_003 + epoch)
    orders = [torch.randperm(len(stage.feed), generator=generator) for _ in range(stage.recipe.repeats)]
    return torch.cat(orders)[place * stage.recipe.batch_size : (place + 1) * stage.recipe.batch_size]


def _loss(stage: Stage, index: Tensor, step: int) -> Tensor:
    torch.manual_seed(stage.seed * 1_000_003 + 500_009 + step)
    captions = stage.captions
    batch = stage.feed.batch(index)
    focus = {captions.phrases[label] for label in stage.feed.labels}
    picked = captions.sample(sorted(focus), _CAPTIONS_IN_FOCUS, _OTHER_CONCEPTS)
    concepts = captions.concepts[picked]
    with torch.autocast(batch.pixels.device.type, torch.bfloat16):
        texts = stage.text.embed(picked)
        samples = stage.encoder.encode(batch.pixels)
    scale = stage.encoder.logit_scale.exp()
    smoothing = stage.recipe.smoothing
    facets = [
        bind_to_text(samples, texts, concepts, share, scale=scale, smoothing=smoothing)
        for share in batch.shares
    ]
    loss = torch.stack(facets).mean()
    if stage.text_scale is not None:
        loss = loss + bind_synonyms(texts, concepts, stage.text_scale)
    return loss
