# SPDX-License-Identifier: Apache-2.0
"""Concepts of all senses, and the captions that stand for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rvl_edge.offline.datasets.labels import LabelSetFile
from rvl_edge.types import Modality


@dataclass(frozen=True, eq=False)
class Captions:
    """Every caption of every concept.

    Attributes:
        texts: N captions, synonyms times templates.
        concepts: (N,) int64, the concept of each.
        phrases: concept of each class name and synonym.
    """

    texts: tuple[str, ...]
    concepts: Tensor
    phrases: dict[str, int]

    @property
    def count(self) -> int:
        """Number of concepts."""
        return int(self.concepts.max()) + 1

    def shares(self, labels: Tensor, classes: Sequence[str], excluded: Iterable[str] = ()) -> Tensor:
        """Targets (B, C) of one facet: 1 at each label's concept, NaN at `excluded` phrases."""
        index = torch.tensor([self.phrases[name] for name in classes])
        shares = torch.zeros(len(labels), self.count)
        shares[torch.arange(len(labels)), index[labels]] = 1
        shares[:, [self.phrases[name] for name in excluded]] = torch.nan
        return shares

    def sample(self, focus: Iterable[int], focus_count: int, others: int) -> Tensor:
        """Draw captions, as (K,) indices of `texts`.

        Args:
            focus: concepts that get `focus_count` captions each.
            focus_count: captions a concept in focus, drawn with replacement.
            others: further concepts, drawn at random, that get two each.
        """
        focus = list(focus)
        rest = torch.tensor(sorted(set(range(self.count)) - set(focus)))
        picked = rest[torch.randperm(len(rest))[:others]]
        wanted = torch.cat([torch.tensor(focus).repeat_interleave(focus_count), picked.repeat_interleave(2)])
        starts = torch.searchsorted(self.concepts, wanted)
        sizes = torch.searchsorted(self.concepts, wanted, right=True) - starts
        return starts + (torch.rand(len(wanted)) * sizes).long()


def make_captions(
    label_sets: Mapping[str, LabelSetFile], templates: Mapping[Modality, tuple[str, ...]]
) -> Captions:
    """Merge label sets into concepts: sets that share a phrase share the concept.

    Every phrase is put into the templates of every sense, so that the locked text tower ranks a label alike
    however it is asked.
    """
    groups: list[set[str]] = []
    for label_set in label_sets.values():
        for label, synonyms in label_set.concepts.items():
            phrases = {label, *synonyms}
            shared = [group for group in groups if group & phrases]
            groups = [group for group in groups if not group & phrases] + [phrases.union(*shared)]
    forms = tuple(dict.fromkeys(form for each in templates.values() for form in each))
    ordered = [sorted(group) for group in sorted(groups, key=min)]
    captions = [
        (form.replace("{}", phrase), number)
        for number, group in enumerate(ordered)
        for phrase in group
        for form in forms
    ]
    texts, concepts = zip(*captions, strict=True)
    numbers = {phrase: number for number, group in enumerate(ordered) for phrase in group}
    return Captions(texts, torch.tensor(concepts), numbers)
