# SPDX-License-Identifier: Apache-2.0
"""What the stages of a recipe are made of: sets, captions, and towers that are fresh or inherited."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.labels import read_label_sets, read_templates
from rvl_edge.offline.datasets.loading import load_part, no_labelled_set
from rvl_edge.offline.datasets.samples import Part, Samples, joined
from rvl_edge.offline.evaluation.trials import make_trial
from rvl_edge.offline.pretraining.audio_feed import AudioFeed
from rvl_edge.offline.pretraining.captions import Captions, make_captions
from rvl_edge.offline.pretraining.feeds import Feed
from rvl_edge.offline.pretraining.image_feed import ImageFeed
from rvl_edge.offline.pretraining.origin import identity_of
from rvl_edge.offline.pretraining.recipe import PretrainRecipe, StageRecipe
from rvl_edge.offline.pretraining.stage import Stage
from rvl_edge.offline.pretraining.texts import LearnedText, LockedText, TextReader, TextSide
from rvl_edge.offline.pretraining.thermal_feed import ThermalFeed
from rvl_edge.offline.pretraining.validating import validator
from rvl_edge.offline.pretraining.video_feed import VideoFeed
from rvl_edge.offline.towers import (
    Encoder,
    EncoderCard,
    TextCard,
    TextEncoder,
    named_card,
    open_encoder,
    open_text,
)
from rvl_edge.offline.towers.inheriting import inherit
from rvl_edge.offline.towers.initialisation import initialise
from rvl_edge.offline.towers.vocabulary import build_tokenizer
from rvl_edge.preprocess.spec import AudioSpec, DepthSpec, ImageSpec, PreprocessSpec, ThermalSpec
from rvl_edge.text import Tokenizer
from rvl_edge.types import Modality

TEXT = "text"


class Preparation:
    """What the stages of one recipe share.

    Args:
        recipe: what to train.
        data: folder of the sets.
        checkpoints: folder of the checkpoints that later stages start from.

    Raises:
        ConfigError: a label set or card that cannot be used.
    """

    def __init__(self, recipe: PretrainRecipe, data: Path, checkpoints: Path) -> None:
        self._recipe, self._data, self._checkpoints = recipe, data, checkpoints
        self._templates = read_templates(recipe.label_sets)
        self._label_sets = read_label_sets(recipe.label_sets)
        self._captions = make_captions(self._label_sets, self._templates)
        card = named_card(recipe.text_card)
        if not isinstance(card, TextCard):
            raise ConfigError(
                "the card is no text tower's", got=recipe.text_card, expected="such as tiny-text"
            )
        self._text_card = card
        self.vocabulary = build_tokenizer(card.text_config.vocab_size).to_str()
        self._tokenizer = Tokenizer(self.vocabulary.encode(), card.text_config.max_position_embeddings)

    def stage(self, number: int) -> Stage:
        """One stage, ready to be trained; `modules` holds `encoder`, and in the first stage `text`.

        Raises:
            ConfigError: a card of another sense, or a set that is not there or broken.
            CheckpointError: a checkpoint of the first stage that is not there or of something else.
        """
        recipe, captions = self._recipe.stages[number], self._captions
        seed = self._recipe.seed * 1_009 + number
        torch.manual_seed(seed)
        encoder = _fresh_encoder(recipe)
        modules = nn.ModuleDict({"encoder": encoder})
        before: tuple[Path, ...] = ()
        if number == 0:
            text_encoder = TextEncoder(self._text_card)
            initialise(encoder)
            initialise(text_encoder)
            modules[TEXT] = text_encoder
        else:
            before = (self._checkpoints / TEXT, self._checkpoints / self._recipe.stages[0].modality.value)
            text_encoder = open_text(before[0])
            inherit(encoder, open_encoder(before[1]))
        reader = TextReader(text_encoder, self._tokenizer)
        text: TextSide
        if number == 0:
            text = LearnedText(text_encoder, torch.from_numpy(self._tokenizer(captions.texts)))
        else:
            text = LockedText(torch.from_numpy(reader(captions.texts)))
        spec = encoder.card.preprocess
        training = load_part(recipe.modality, self._data, Part.TRAIN)
        validation = load_part(recipe.modality, self._data, Part.VALIDATION)
        return Stage(
            recipe=recipe,
            identity=identity_of(
                self._recipe,
                number,
                cards=(encoder.card, text_encoder.card),
                label_sets=self._label_sets,
                templates=self._templates,
                data=(training, validation),
                before=before,
            ),
            seed=seed,
            modules=modules,
            encoder=encoder,
            text=text,
            text_scale=self._recipe.text_scale if number == 0 else None,
            captions=captions,
            feed=_feed(
                spec, joined(training, validation) if recipe.include_validation else training, captions
            ),
            validate=validator(
                encoder,
                reader,
                make_trial(validation, spec, Part.VALIDATION),
                self._templates[recipe.modality],
            ),
        )


def _fresh_encoder(recipe: StageRecipe) -> Encoder:
    card = named_card(recipe.card)
    if not isinstance(card, EncoderCard) or card.modality is not recipe.modality:
        raise ConfigError("the card is another sense's", got=recipe.card, expected=recipe.modality)
    return Encoder(card)


def _feed(spec: PreprocessSpec, samples: Samples, captions: Captions) -> Feed:
    if isinstance(spec, ImageSpec):
        return ImageFeed(samples, spec, captions)
    if isinstance(spec, ThermalSpec):
        return ThermalFeed(samples, spec, captions)
    if isinstance(spec, AudioSpec):
        return AudioFeed(samples, spec, captions)
    if isinstance(spec, DepthSpec):
        raise no_labelled_set(Modality.DEPTH)
    return VideoFeed(samples, spec, captions)
