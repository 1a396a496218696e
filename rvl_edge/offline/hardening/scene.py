# SPDX-License-Identifier: Apache-2.0
"""The scenes that a recipe means: an encoder, its frozen original, and the anchors of each label set."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

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


def make_scenes(recipe: HardenRecipe, device: torch.device) -> tuple[Scene, ...]:
    """Open the checkpoints and make the anchors.

    Returns:
        A scene for each label set, all with the same towers.

    Raises:
        ConfigError: a label set or lexicon that is not there, or layers for low-rank updates that are not.
        CheckpointError: a checkpoint that is not there, damaged, or another sense's; or it cannot be grafted.
    """
    texts = _text_sides(recipe, device)
    text = texts[0]
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
    first = Scene(
        student=student.to(device),
        original=original.to(device),
        domain=domain_of(student.card.preprocess),
        anchors=anchors_of(text).to(device),
        scale=float(original.logit_scale.exp()),
        text=text,
    )
    return first, *(replace(first, anchors=anchors_of(each).to(device), text=each) for each in texts[1:])


def with_new_anchors(scene: Scene) -> Scene:
    """The scene after its text encoder learned."""
    assert scene.text is not None  # `make_scenes` gives one
    return replace(scene, anchors=anchors_of(scene.text).to(scene.anchors.device))


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


def _text_sides(recipe: HardenRecipe, device: torch.device) -> tuple[TextSide, ...]:
    sets, templates = read_label_sets(recipe.labels), read_templates(recipe.labels)
    for name in recipe.label_sets:
        if name not in sets:
            raise ConfigError("no such label set", got=name, expected=", ".join(sets))
    if recipe.modality not in templates:
        raise ConfigError("the templates have no prompts for this sense", got=recipe.modality)
    encoder = open_text(recipe.text).requires_grad_(False).to(device)
    context = encoder.card.text_config.max_position_embeddings
    tokenizer = Tokenizer(read_tokenizer(recipe.text).encode(), context)
    lexicon = None if recipe.words is None else read_lexicon(recipe.words)
    return tuple(
        TextSide(
            encoder,
            tokenizer,
            sets[name].labels,
            templates[recipe.modality],
            synonyms=tuple(sets[name].concepts.values()),
            lexicon=lexicon,
        )
        for name in recipe.label_sets
    )
