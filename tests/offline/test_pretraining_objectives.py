# SPDX-License-Identifier: Apache-2.0
"""Objectives against written-out sums, and the captions they are fed with."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.datasets.labels import LabelSetFile
from rvl_edge.offline.pretraining.captions import make_captions
from rvl_edge.offline.pretraining.objectives import bind_synonyms, bind_to_text
from rvl_edge.offline.training.optimisation import warm_cosine
from rvl_edge.types import Modality

SCALE = 7.0


@pytest.fixture
def units() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    draw = [functional.normalize(torch.randn(count, 6, generator=generator), dim=1) for count in (4, 5)]
    return draw[0], draw[1]


def _bind(samples: Tensor, texts: Tensor, concepts: Tensor, shares: Tensor, smoothing: float = 0.0) -> float:
    scale = torch.tensor(SCALE)
    return float(bind_to_text(samples, texts, concepts, shares, scale=scale, smoothing=smoothing))


def test_one_positive_a_row_is_clips_objective(units: tuple[Tensor, Tensor]) -> None:
    samples, texts = units[0], units[1][:4]
    truth = torch.arange(4)
    logits = SCALE * samples @ texts.T
    clip = 0.5 * (functional.cross_entropy(logits, truth) + functional.cross_entropy(logits.T, truth))
    assert _bind(samples, texts, truth, torch.eye(4)) == pytest.approx(float(clip), abs=1e-6)


def test_captions_of_one_concept_share_a_rows_target(units: tuple[Tensor, Tensor]) -> None:
    samples, texts = units
    concepts, of_sample = [0, 0, 1, 1, 2], [0, 1, 1, 0]
    shares = functional.one_hot(torch.tensor(of_sample), 3).float()
    rows, columns = [], []
    for i, concept in enumerate(of_sample):
        odds = [math.exp(SCALE * float(samples[i] @ text)) for text in texts]
        own = [j for j, other in enumerate(concepts) if other == concept]
        rows.append(-sum(math.log(odds[j] / sum(odds)) for j in own) / len(own))
    for j, concept in enumerate(concepts):
        odds = [math.exp(SCALE * float(sample @ texts[j])) for sample in samples]
        own = [i for i, other in enumerate(of_sample) if other == concept]
        if own:  # nobody in the batch holds concept 2: its text asks for nothing
            columns.append(-sum(math.log(odds[i] / sum(odds)) for i in own) / len(own))
    expected = 0.5 * (sum(rows) / len(rows) + sum(columns) / len(columns))
    assert _bind(samples, texts, torch.tensor(concepts), shares) == pytest.approx(expected, abs=1e-5)


def test_texts_of_another_facet_do_not_compete(units: tuple[Tensor, Tensor]) -> None:
    samples, texts = units
    concepts = torch.tensor([0, 1, 0, 1, 2])
    shares = functional.one_hot(torch.tensor([0, 1, 1, 0]), 3).float()
    shares[:, 2] = torch.nan
    alone = _bind(samples, texts[:4], concepts[:4], shares[:, :2])
    assert _bind(samples, texts, concepts, shares) == pytest.approx(alone, abs=1e-6)


def test_a_mixture_costs_least_where_it_lies_between(units: tuple[Tensor, Tensor]) -> None:
    texts = torch.eye(6)[:2]
    shares = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    between = functional.normalize(torch.stack([texts.sum(0), texts[0]]), dim=1)
    pure = torch.stack([texts[1], texts[0]])
    assert _bind(between, texts, torch.arange(2), shares) < _bind(pure, texts, torch.arange(2), shares)


def test_synonyms_attract_and_others_repel() -> None:
    concepts = torch.tensor([0, 0, 1, 1])
    corners = torch.eye(4)
    right, wrong = corners[[0, 0, 1, 1]], corners[[0, 1, 0, 1]]
    assert float(bind_synonyms(right, concepts, 20.0)) == pytest.approx(2 * math.exp(-20), abs=1e-6)
    assert float(bind_synonyms(wrong, concepts, 20.0)) > 19


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [warm_cosine(done / 100, 0.1) for done in range(101)]
    assert rates[0] == 0
    assert rates[10] == 1
    assert rates[100] == pytest.approx(0)
    assert sorted(rates[:11]) == rates[:11]
    assert sorted(rates[10:], reverse=True) == rates[10:]


def _set(name: str, concepts: dict[str, tuple[str, ...]]) -> LabelSetFile:
    return LabelSetFile(name=name, modalities=(Modality.IMAGE,), concepts=concepts)


def test_sets_that_share_a_phrase_share_the_concept() -> None:
    sets = [
        _set("a", {"automobile": ("car",), "dog": ()}),
        _set("b", {"car": ("sedan",), "person": ()}),
        _set("c", {"sedan": (), "cat": ()}),
    ]
    captions = make_captions({each.name: each for each in sets}, {Modality.IMAGE: ("{}", "one {}")})
    assert captions.count == 4
    assert captions.phrases["automobile"] == captions.phrases["car"] == captions.phrases["sedan"]
    assert len({captions.phrases[each] for each in ("car", "dog", "person", "cat")}) == 4
    by_concept = {text: int(concept) for text, concept in zip(captions.texts, captions.concepts, strict=True)}
    assert by_concept["one sedan"] == captions.phrases["car"]
    assert len(captions.texts) == 2 * 6


def test_drawn_captions_say_what_was_asked_for() -> None:
    concepts = {f"thing {number}": (f"object {number}",) for number in range(20)}
    captions = make_captions({"a": _set("a", concepts)}, {Modality.IMAGE: ("{}", "one {}", "the {}")})
    torch.manual_seed(0)
    drawn = captions.concepts[captions.sample([3, 7], 4, 5)]
    counts = torch.bincount(drawn, minlength=20)
    assert counts[3] == counts[7] == 4
    assert sorted(counts.tolist(), reverse=True) == [4, 4, 2, 2, 2, 2, 2, *[0] * 13]


def test_every_caption_of_a_concept_is_drawn_at_some_time() -> None:
    captions = make_captions({"a": _set("a", {"x": ("y",), "z": ()})}, {Modality.IMAGE: ("{}", "one {}")})
    torch.manual_seed(0)
    drawn = torch.cat([captions.sample(range(2), 8, 0) for _ in range(20)])
    assert set(drawn.tolist()) == set(range(len(captions.texts)))
