# SPDX-License-Identifier: Apache-2.0
"""Training of one sense: a loop that can be killed at any time and goes on exactly where it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from rvl_edge.offline.pretraining.captions import Captions
from rvl_edge.offline.pretraining.feeds import Feed
from rvl_edge.offline.pretraining.journal import EpochMetrics, append_metrics
from rvl_edge.offline.pretraining.objectives import bind_synonyms, bind_to_text
from rvl_edge.offline.pretraining.optimisation import Average, Optimiser, warm_cosine
from rvl_edge.offline.pretraining.recipe import StageRecipe
from rvl_edge.offline.pretraining.snapshot import load_snapshot, save_snapshot
from rvl_edge.offline.pretraining.texts import TextSide
from rvl_edge.offline.towers import Encoder

METRICS_NAME, SNAPSHOT_NAME = "metrics.jsonl", "snapshot.pt"

_LARGEST_LOG_SCALE = 4.6052  # ln 100, CLIP's bound
_CAPTIONS_IN_FOCUS, _OTHER_CONCEPTS = 4, 64


@dataclass(frozen=True, eq=False)
class Stage:
    """What one sense is trained with.

    Attributes:
        recipe: the numbers.
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


Report = Callable[[int, int, float, float], None]


def train(stage: Stage, folder: Path, report: Report) -> None:
    """Train until the last pass; the modules then hold the averaged weights.

    Every random draw of a step comes from the seed, the stage and the step, so the state to go on from is
    the step, weights, average and optimiser.

    Args:
        stage: what to train.
        folder: for the snapshot and the metrics.
        report: called after each step with step, steps, loss and samples per second.
    """
    recipe, total = stage.recipe, stage.recipe.epochs * stage.steps_per_epoch
    optimiser = Optimiser(stage.modules, recipe.lr, recipe.weight_decay)
    average = Average(stage.modules, recipe.average_decay)
    begin = load_snapshot(folder / SNAPSHOT_NAME, stage.modules, average, optimiser)
    losses: list[float] = []
    clock = time.perf_counter()
    for step in range(begin, total):
        epoch, place = divmod(step, stage.steps_per_epoch)
        stage.modules.train()
        unmasked = epoch >= recipe.epochs - recipe.unmasked_epochs
        stage.encoder.vision_model.patch_dropout = 0.0 if unmasked else recipe.patch_dropout
        loss = _loss(stage, _indices(stage, epoch, place), step)
        loss.backward()
        optimiser.step(warm_cosine(step / total, recipe.warm_up))
        with torch.no_grad():
            stage.encoder.logit_scale.clamp_(max=_LARGEST_LOG_SCALE)
        average.update(stage.modules, step)
        losses.append(float(loss.detach()))
        elapsed = time.perf_counter() - clock
        rate = len(losses) * recipe.batch_size / elapsed
        report(step + 1, total, losses[-1], rate)
        if place + 1 == stage.steps_per_epoch:
            with average.applied(stage.modules):
                accuracy = stage.validate(stage.modules)
            mean = sum(losses) / len(losses)
            append_metrics(folder / METRICS_NAME, EpochMetrics(epoch + 1, mean, accuracy, rate, elapsed))
            save_snapshot(folder / SNAPSHOT_NAME, step + 1, stage.modules, average, optimiser)
            losses, clock = [], time.perf_counter()
    stage.modules.load_state_dict(average.weights)
    stage.modules.eval()


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
    with torch.autocast("cpu", torch.bfloat16):
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
