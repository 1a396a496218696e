# SPDX-License-Identifier: Apache-2.0
"""SGA and Co-Attack: their gradients and values written out, their budgets, and that they attack."""

from __future__ import annotations

import math
import random

import pytest
import torch
from small_cards import DIM, image_card, randomised, video_card
from small_text import STOP_WORDS, SUBSTITUTES, TABLE, changed_words, small_reader
from torch import Tensor
from torch.nn import functional

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.attacks.joint.co_attack import CoAttack
from rvl_edge.offline.hardening.attacks.joint.pairs import Pairs, Towers
from rvl_edge.offline.hardening.attacks.joint.scales import Scales
from rvl_edge.offline.hardening.attacks.joint.sga import Sga
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.attacks.text.substitution import WordSubstitution
from rvl_edge.offline.hardening.domains import Pixels
from rvl_edge.offline.hardening.objectives.interface import Scene, TextSide
from rvl_edge.offline.hardening.threat import Norm, Threat
from rvl_edge.offline.towers import Encoder, EncoderCard

TEXT = WordSubstitution(SUBSTITUTES, STOP_WORDS)
TEXTS = ("a photo of a cat", "the red dog", "red of the cat", "nothing at all")
OWNERS = torch.tensor([0, 1, 0, 2])
EPS = 4 / 255
PGD = Pgd(Threat(Norm.LINF, EPS), steps=5, step_size=EPS / 4)


def _towers(card: EncoderCard) -> Towers:
    encoder = randomised(Encoder(card), 1).requires_grad_(False)
    reader = small_reader()
    side = TextSide(reader.encoder, reader.tokenizer, ("cat",), ("{}",))
    anchors = torch.zeros(1, DIM)
    return Towers.of(Scene(encoder, encoder, Pixels(card.preprocess), anchors, 1.0, text=side))


@pytest.fixture(scope="module")
def towers() -> Towers:
    return _towers(image_card())


@pytest.fixture
def pairs() -> Pairs:
    samples = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return Pairs(samples, TEXTS, OWNERS)


def _cosine(towers: Towers, sample: Tensor, text: str) -> float:
    return float(functional.cosine_similarity(towers.sense(sample[None]), towers.read([text]))[0])


def _similarity(towers: Towers, pairs: Pairs) -> float:
    """Over all pairs."""
    owned = zip(pairs.texts, pairs.owners.tolist(), strict=True)
    return sum(_cosine(towers, pairs.samples[owner], text) for text, owner in owned)


def test_a_step_of_sga_is_the_sum_over_scales_samples_and_texts(towers: Towers, pairs: Pairs) -> None:
    goal = Sga(TEXT).goal(towers, pairs, torch.Generator().manual_seed(3))
    samples = pairs.samples.clone().requires_grad_(True)
    value = goal(samples, torch.arange(3))
    (gradient,) = torch.autograd.grad(value.sum(), samples)

    generator = torch.Generator().manual_seed(3)
    noises = [torch.randn(pairs.samples.shape, generator=generator) for _ in range(4)]
    expected, values = torch.zeros_like(gradient), [0.0, 0.0, 0.0]
    for row in range(3):
        for number, factor in enumerate((1.0, 0.5, 0.75, 1.25, 1.5)):
            for text, owner in zip(TEXTS, OWNERS.tolist(), strict=True):
                if owner != row:
                    continue
                one = pairs.samples[row : row + 1].clone().requires_grad_(True)
                seen = one
                if number:
                    size = int(16 * factor)
                    noisy = one + 0.05 * noises[number - 1][row : row + 1]
                    small = functional.interpolate(noisy, (size, size), mode="bicubic").clamp(0, 1)
                    seen = functional.interpolate(small, (16, 16), mode="bicubic")
                away = -functional.cosine_similarity(towers.sense(seen), towers.read([text])).sum()
                expected[row] += torch.autograd.grad(away, one)[0][0]
                values[row] += float(away.detach())
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(value.detach(), torch.tensor(values), rtol=1e-4, atol=1e-5)


def test_the_gradient_is_the_values_slope(towers: Towers, pairs: Pairs) -> None:
    sga, rows = Sga(TEXT), torch.arange(3)
    samples = (0.3 + 0.4 * pairs.samples).requires_grad_(True)

    def value(at: Tensor) -> Tensor:
        return sga.goal(towers, pairs, torch.Generator().manual_seed(3))(at, rows).sum()

    (gradient,) = torch.autograd.grad(value(samples), samples)
    with torch.no_grad():
        step = 1e-3 * gradient / gradient.norm()
        slope = (value(samples + step) - value(samples - step)) / 2e-3
    assert float(slope) == pytest.approx(float(gradient.norm()), rel=0.02)


@pytest.mark.parametrize("attack", [Sga(TEXT, PGD), CoAttack(TEXT, PGD)])
def test_both_budgets_are_kept_and_both_attacks_attack(
    attack: Sga | CoAttack, towers: Towers, pairs: Pairs
) -> None:
    found = attack(towers, pairs, torch.Generator().manual_seed(0))
    assert (found.samples - pairs.samples).abs().max() <= EPS * (1 + 1e-5)
    assert found.samples.min() >= 0
    assert found.samples.max() <= 1
    moves = [changed_words(*each) for each in zip(pairs.texts, found.texts, strict=True)]
    assert all(len(each) <= 1 for each in moves)  # from the clean text, not from the first attack's
    assert any(moves)
    assert found.texts[3] == TEXTS[3]
    assert _similarity(towers, found) < _similarity(towers, pairs)


def test_sga_separates_more_than_chance_and_more_than_either_half(towers: Towers, pairs: Pairs) -> None:
    sga = Sga(TEXT, PGD)
    found = sga(towers, pairs, torch.Generator().manual_seed(0))
    drawn, noise = random.Random(0), torch.Generator().manual_seed(1)
    words = tuple(
        " ".join(drawn.choice(TABLE[word]) if word in {"cat", "red"} else word for word in text.split())
        for text in TEXTS
    )
    chance = Pairs(PGD.threat.start(pairs.samples, noise), words, OWNERS)
    alone = (Pairs(found.samples, TEXTS, OWNERS), Pairs(pairs.samples, found.texts, OWNERS), chance)
    assert all(_similarity(towers, found) < _similarity(towers, each) for each in alone)


@pytest.mark.parametrize("attack", [Sga(TEXT, PGD), CoAttack(TEXT, PGD)])
def test_one_seed_gives_one_attack(attack: Sga | CoAttack, towers: Towers, pairs: Pairs) -> None:
    runs = [attack(towers, pairs, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(runs[0].samples, runs[1].samples)
    assert runs[0].texts == runs[1].texts
    assert not torch.equal(runs[0].samples, runs[2].samples)


def test_co_attacks_value_is_two_divergences(towers: Towers, pairs: Pairs) -> None:
    samples = (pairs.samples + 0.05).clamp(0, 1)
    value = CoAttack(TEXT, alpha=2.0).goal(towers, pairs)(samples, torch.arange(3))

    def divergence(wanted: Tensor, found: Tensor) -> float:
        p, q = wanted.softmax(dim=-1).tolist(), found.softmax(dim=-1).tolist()
        return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))

    for row in range(3):
        clean, perturbed = (towers.sense(each[row : row + 1])[0] for each in (pairs.samples, samples))
        unit = functional.normalize(perturbed, dim=0)
        own = [text for text, owner in zip(TEXTS, OWNERS.tolist(), strict=True) if owner == row]
        torn = [divergence(functional.normalize(towers.read([each])[0], dim=0), unit) for each in own]
        wanted = divergence(clean, perturbed) + 2 * sum(torn) / len(own)
        assert float(value[row]) == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("attack", [Sga(TEXT, scales=Scales(noise=0.0)), CoAttack(TEXT)])
def test_the_goal_of_a_subset_is_that_of_its_rows(
    attack: Sga | CoAttack, towers: Towers, pairs: Pairs
) -> None:
    goal, rows = attack.goal(towers, pairs), torch.tensor([2, 0])
    whole, part = goal(pairs.samples, torch.arange(3)), goal(pairs.samples[rows], rows)
    torch.testing.assert_close(part, whole[rows], rtol=1e-4, atol=1e-5)


def test_clips_have_scales_and_waveforms_have_none() -> None:
    towers = _towers(video_card())
    clips = Pairs(torch.rand(2, 3, 4, 16, 16), TEXTS[:2], torch.arange(2))
    found = Sga(TEXT, PGD)(towers, clips)
    assert found.samples.shape == clips.samples.shape
    assert _similarity(towers, found) < _similarity(towers, clips)
    with pytest.raises(ConfigError, match="only pictures have scales"):
        Scales()(torch.rand(2, 1, 400))
    assert Scales(factors=())(torch.rand(2, 1, 400)).shape == (2, 1, 400)
