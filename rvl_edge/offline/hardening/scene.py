# SPDX-License-Identifier: Apache-2.0
"""The scene that a recipe means: encoder, its frozen original, and the anchors of its label set."""

from __future__ import annotations

from copy import deepcopy

import torch

from rvl_edge.errors import CheckpointError, ConfigError
from rvl_edge.offline.datasets.labels import read_label_sets, read_templates
from rvl_edge.offline.hardening.attacks.text.words import read_lexicon
from rvl_edge.offline.hardening.domains import domain_of
from rvl_edge.offline.hardening.graft import graft
from rvl_edge.offline.hardening.lora import add_lora
from rvl_edge.offline.hardening.objectives.interface import Scene, TextSide
from rvl_edge.offline.hardening.recipe import HardenRecipe
from rvl_edge.offline.pretraining.texts import TextReader
from rvl_edge.offline.towers import Encoder, open_encoder, open_text, read_tokenizer
from rvl_edge.text import Tokenizer, make_anchors


def make_scene(recipe: HardenRecipe, device: torch.device) -> Scene:
    """Open the checkpoints and make the anchors.

    Raises:
        ConfigError: a label set or lexicon that is not there, or layers for low-rank updates that are not.
        CheckpointError: a checkpoint that is not there, damaged, or another sense's; or it cannot be grafted.
    """
    text = _text_side(recipe, device)
    student = _open_student(recipe, text.encoder.card.projection_dim)
    original = deepcopy(student).requires_grad_(False)
    if recipe.graft is not None:
        graft(student, recipe.graft)
    if recipe.lora is not None:
        torch.manual_seed(recipe.seed)
        add_lora(student, recipe.lora.rank, recipe.lora.alpha, recipe.lora.targets)
    student.logit_scale.requires_grad_(False)
    if recipe.compile:
        for each in (student, original):
            each.vision_model.compile(dynamic=False)
    return Scene(
        student=student.to(device),
        original=original.to(device),
        domain=domain_of(student.card.preprocess),
        anchors=anchors_of(text).to(device),
        scale=float(original.logit_scale.exp()),
        text=text,
    )


def _open_student(recipe: HardenRecipe, dim: int) -> Encoder:
    encoder = open_encoder(recipe.checkpoint)
    card = encoder.card
    if card.modality is not recipe.modality or card.projection_dim != dim:
        raise CheckpointError(
            f"{recipe.checkpoint} is not what the recipe hardens",
            got=f"{card.modality}, embedding size {card.projection_dim}",
            expected=f"{recipe.modality}, embedding size {dim} as the text encoder's",
        )
    return encoder


def anchors_of(text: TextSide) -> torch.Tensor:
    """(K, D), unit norm, on the CPU: as the robot makes them."""
    reader = TextReader(text.encoder, text.tokenizer)
    anchors = make_anchors(text.labels, text.templates, embed=reader, trained=None, version=0)
    return torch.from_numpy(anchors.matrix.copy())


def _text_side(recipe: HardenRecipe, device: torch.device) -> TextSide:
    sets, templates = read_label_sets(recipe.labels), read_templates(recipe.labels)
    if recipe.label_set not in sets:
        raise ConfigError("no such label set", got=recipe.label_set, expected=", ".join(sets))
    if recipe.modality not in templates:
        raise ConfigError("the templates have no prompts for this sense", got=recipe.modality)
    encoder = open_text(recipe.text).requires_grad_(False).to(device)
    context = encoder.card.text_config.max_position_embeddings
    tokenizer = Tokenizer(read_tokenizer(recipe.text).encode(), context)
    chosen = sets[recipe.label_set]
    return TextSide(
        encoder,
        tokenizer,
        chosen.labels,
        templates[recipe.modality],
        synonyms=tuple(chosen.concepts.values()),
        lexicon=None if recipe.words is None else read_lexicon(recipe.words),
    )
