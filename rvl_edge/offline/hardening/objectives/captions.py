# SPDX-License-Identifier: Apache-2.0
"""Texts of labelled samples, and the attack on them that training can afford."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rvl_edge.offline.hardening.attacks.text.candidates import Substitutes
from rvl_edge.offline.hardening.attacks.text.reading import Reader
from rvl_edge.offline.hardening.attacks.text.substitution import WordSubstitution
from rvl_edge.offline.hardening.objectives.interface import Scene, TextSide
from rvl_edge.text.prompts import prompts


def text_side(scene: Scene) -> TextSide:
    """The scene's."""
    assert scene.text is not None  # `make_scenes` gives one
    return scene.text


def reader(scene: Scene) -> Reader:
    """The scene's text tower."""
    side = text_side(scene)
    return Reader(side.encoder, side.tokenizer)


def class_captions(side: TextSide) -> list[str]:
    """One text a class: its label in the sense's first prompt."""
    return [prompts(label, side.templates[:1])[0] for label in side.labels]


def all_captions(side: TextSide) -> list[list[str]]:
    """For each class its label and other names in every prompt of the sense."""
    others = side.synonyms or ((),) * len(side.labels)
    return [
        [caption for name in (label, *names) for caption in prompts(name, side.templates)]
        for label, names in zip(side.labels, others, strict=True)
    ]


def chosen(captions: Sequence[Sequence[str]], labels: Tensor, chance: Tensor) -> list[str]:
    """A text for each sample from its class's, by `chance` (B,) in [0, 1)."""
    return [
        captions[label][int(part * len(captions[label]))]
        for label, part in zip(labels.tolist(), chance.tolist(), strict=True)
    ]


def substitution(scene: Scene, words: int, candidates: int) -> WordSubstitution:
    """BERT-attack's search over the lexicon's substitutes."""
    lexicon = text_side(scene).lexicon
    assert lexicon is not None  # the recipe names one
    return WordSubstitution(Substitutes(lexicon.substitutes, candidates), lexicon.stop_words, words)


def read_frozen(scene: Scene, texts: Sequence[str]) -> Tensor:
    """Features (N, D) of the text tower as it is, without gradient."""
    with torch.no_grad():
        return reader(scene)(texts)
