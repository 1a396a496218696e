# SPDX-License-Identifier: Apache-2.0
"""LanguageBind's recipe: text is trained with the first sense, then locked, and each sense bound to it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from rvl_edge.errors import CheckpointError, ConfigError
from rvl_edge.offline.datasets.labels import read_label_sets, read_templates
from rvl_edge.offline.datasets.loading import load_part
from rvl_edge.offline.datasets.samples import Part, Samples, joined
from rvl_edge.offline.evaluation.trials import Trial, make_trial
from rvl_edge.offline.pretraining.audio_feed import AudioFeed
from rvl_edge.offline.pretraining.captions import Captions, make_captions
from rvl_edge.offline.pretraining.feeds import Feed
from rvl_edge.offline.pretraining.image_feed import ImageFeed
from rvl_edge.offline.pretraining.recipe import PretrainRecipe, StageRecipe
from rvl_edge.offline.pretraining.stage import Report, Stage, train
from rvl_edge.offline.pretraining.texts import LearnedText, LockedText, TextReader, TextSide
from rvl_edge.offline.pretraining.thermal_feed import ThermalFeed
from rvl_edge.offline.pretraining.video_feed import VideoFeed
from rvl_edge.offline.towers import (
    Encoder,
    EncoderCard,
    TextCard,
    TextEncoder,
    named_card,
    open_checkpoint,
    save_checkpoint,
)
from rvl_edge.offline.towers.inheriting import inherit
from rvl_edge.offline.towers.initialisation import initialise
from rvl_edge.offline.towers.vocabulary import build_tokenizer
from rvl_edge.preprocess.spec import AudioSpec, ImageSpec, PreprocessSpec, ThermalSpec
from rvl_edge.text import Tokenizer
from rvl_edge.text.anchors import make_anchors
from rvl_edge.types import Modality

TEXT = "text"
_VALIDATED_AT_ONCE = 128
_Kind = TypeVar("_Kind", Encoder, TextEncoder)


def pretrain(
    recipe: PretrainRecipe,
    *,
    data: Path,
    run: Path,
    output: Path,
    senses: Collection[Modality] | None = None,
    report: Callable[[Modality], Report],
) -> None:
    """Train all stages of a recipe, or some, and write their checkpoints.

    A run that was cut off goes on where it was when it is started again with the same run folder.

    Args:
        recipe: what to train.
        data: folder of the sets.
        run: folder for snapshots and metrics, one a sense.
        output: folder for the checkpoints `text`, `image` and so on; later stages start from those.
        senses: stages to train; None is all.
        report: called once a stage, returns what is called each step.

    Raises:
        ConfigError: a recipe, card or set that cannot be used.
        CheckpointError: a snapshot or checkpoint of something else.
    """
    label_sets, templates = read_label_sets(recipe.label_sets), read_templates(recipe.label_sets)
    captions = make_captions(label_sets, templates)
    text_card = named_card(recipe.text_card)
    if not isinstance(text_card, TextCard):
        raise ConfigError(
            "the text card is no text tower's", got=recipe.text_card, expected="such as tiny-text"
        )
    context = text_card.text_config.max_position_embeddings
    vocabulary = build_tokenizer(text_card.text_config.vocab_size).to_str()
    tokenizer = Tokenizer(vocabulary.encode(), context)
    ids = torch.from_numpy(tokenizer(captions.texts))
    for number, stage_recipe in enumerate(recipe.stages):
        if senses is not None and stage_recipe.modality not in senses:
            continue
        torch.manual_seed(recipe.seed * 1_009 + number)
        encoder = _fresh_encoder(stage_recipe)
        text_side: TextSide
        if number == 0:
            text_encoder = TextEncoder(text_card)
            initialise(encoder)
            initialise(text_encoder)
            text_side = LearnedText(text_encoder, ids)
            modules = nn.ModuleDict({"encoder": encoder, "text": text_encoder})
        else:
            text_encoder = _opened(output / TEXT, TextEncoder)
            inherit(encoder, _opened(output / recipe.stages[0].modality.value, Encoder))
            text_side = LockedText(torch.from_numpy(TextReader(text_encoder, tokenizer)(captions.texts)))
            modules = nn.ModuleDict({"encoder": encoder})
        reader = TextReader(text_encoder, tokenizer)
        folder = run / stage_recipe.modality.value
        folder.mkdir(parents=True, exist_ok=True)
        spec = encoder.card.preprocess
        training = load_part(stage_recipe.modality, data, Part.TRAIN)
        validation = load_part(stage_recipe.modality, data, Part.VALIDATION)
        if stage_recipe.include_validation:
            training = joined(training, validation)
        stage = Stage(
            recipe=stage_recipe,
            seed=recipe.seed * 1_009 + number,
            modules=modules,
            encoder=encoder,
            text=text_side,
            text_scale=recipe.text_scale if number == 0 else None,
            captions=captions,
            feed=_feed(spec, training, captions),
            validate=_validator(
                encoder, reader, make_trial(validation, spec), templates[stage_recipe.modality]
            ),
        )
        train(stage, folder, report(stage_recipe.modality))
        if number == 0:
            save_checkpoint(text_encoder, output / TEXT, tokenizer=vocabulary)
        save_checkpoint(encoder, output / stage_recipe.modality.value)


def _fresh_encoder(recipe: StageRecipe) -> Encoder:
    card = named_card(recipe.card)
    if not isinstance(card, EncoderCard) or card.modality is not recipe.modality:
        raise ConfigError("the card is another sense's", got=recipe.card, expected=recipe.modality)
    return Encoder(card)


def _opened(folder: Path, kind: type[_Kind]) -> _Kind:
    encoder = open_checkpoint(folder)
    if not isinstance(encoder, kind):
        raise CheckpointError("the checkpoint is of another kind", got=folder, expected=kind.__name__)
    return encoder


def _feed(spec: PreprocessSpec, samples: Samples, captions: Captions) -> Feed:
    if isinstance(spec, ImageSpec):
        return ImageFeed(samples, spec, captions)
    if isinstance(spec, ThermalSpec):
        return ThermalFeed(samples, spec, captions)
    if isinstance(spec, AudioSpec):
        return AudioFeed(samples, spec, captions)
    return VideoFeed(samples, spec, captions)


def _validator(
    encoder: Encoder, reader: TextReader, trial: Trial, templates: tuple[str, ...]
) -> Callable[[nn.ModuleDict], dict[str, float]]:
    inputs = torch.from_numpy(trial.inputs).split(_VALIDATED_AT_ONCE)

    @torch.no_grad()
    def validate(modules: nn.ModuleDict) -> dict[str, float]:
        modules.eval()
        with torch.autocast("cpu", torch.bfloat16):
            embedded = torch.cat([encoder.encode(part) for part in inputs]).float().numpy()
        accuracy = {}
        for question in trial.questions:
            anchors = make_anchors(question.labels, templates, embed=reader, trained=(), version=0)
            guesses = (embedded @ anchors.matrix.T).argmax(axis=1)
            accuracy[question.label_set] = float(np.mean(guesses == question.answers))
        return accuracy

    return validate
