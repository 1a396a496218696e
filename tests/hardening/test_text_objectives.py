# SPDX-License-Identifier: Apache-2.0
"""MMCoA, MAT and MAT+ against their formulas, written out sample by sample, and through the trainer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hardening_run import STAGE, TEXT, WORDS, train, weights, write_problem
from safetensors.torch import load_file
from small_cards import image_card, randomised
from small_text import STOP_WORDS, TABLE, changed_words, small_reader
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening import harden
from rvl_edge.offline.hardening.attacks.text.words import Lexicon
from rvl_edge.offline.hardening.domains import Pixels
from rvl_edge.offline.hardening.objectives.captions import all_captions, chosen
from rvl_edge.offline.hardening.objectives.interface import (
    Batch,
    Scene,
    TextSide,
    TrainsText,
    original_features,
)
from rvl_edge.offline.hardening.objectives.mat import Mat, MatPlus
from rvl_edge.offline.hardening.objectives.mmcoa import Mmcoa
from rvl_edge.offline.hardening.recipe import read_recipe
from rvl_edge.offline.hardening.scene import anchors_of
from rvl_edge.offline.hardening.training import Stage
from rvl_edge.offline.towers import Encoder

SCALE, COUNT = 7.0, 5
LABELS = torch.tensor([0, 1, 1, 2, 0])
SIDE = {
    "labels": ("cat", "red", "dog"),
    "templates": ("a photo of a {}", "the {}"),
    "synonyms": (("kitten", "tom"), (), ("hound",)),
    "lexicon": Lexicon(stop_words=STOP_WORDS, substitutes=TABLE),
}
METHODS = [Mmcoa(), Mmcoa(same_class="masked"), Mat(), Mat(same_class="negative"), MatPlus()]


@pytest.fixture(scope="module")
def scene() -> Scene:
    encoders = [randomised(Encoder(image_card()), seed).eval() for seed in (0, 1)]
    reader = small_reader(2)
    side = TextSide(reader.encoder, reader.tokenizer, **SIDE)
    anchors = torch.nn.functional.normalize(torch.ones(3, image_card().projection_dim), dim=-1)
    return Scene(encoders[0], encoders[1], Pixels(image_card().preprocess), anchors, SCALE, text=side)


@pytest.fixture(scope="module")
def batch(scene: Scene) -> Batch:
    samples = torch.rand(COUNT, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    return Batch(samples, LABELS, original_features(scene, samples))


@pytest.fixture(scope="module")
def adversarial(batch: Batch) -> Tensor:
    noise = torch.rand(batch.samples.shape, generator=torch.Generator().manual_seed(4)) - 0.5
    return (batch.samples + 0.1 * noise).clamp(0, 1)


def _with_texts(objective: TrainsText, scene: Scene, batch: Batch, seed: int = 0) -> Batch:
    chance = torch.rand(COUNT, generator=torch.Generator().manual_seed(seed))
    return replace(batch, texts=objective.texts(scene, batch, chance))


def _unit(numbers: Tensor) -> list[float]:
    length = math.sqrt(sum(float(each) ** 2 for each in numbers))
    return [float(each) / length for each in numbers]


def _sample(scene: Scene, sample: Tensor) -> list[float]:
    with torch.no_grad():
        return _unit(scene.student.features((sample[None] - 0.5) / 0.5)[0])


def _text(scene: Scene, text: str) -> list[float]:
    assert scene.text is not None
    with torch.no_grad():
        return _unit(scene.text.encoder.features(torch.from_numpy(scene.text.tokenizer([text])))[0])


def _cosine(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def _loss(asked: list[float], answers: Sequence[list[float]], own: int, masked: bool) -> float:
    """Cross-entropy of one row."""
    powers = {}
    for place, answer in enumerate(answers):
        if masked and place != own and LABELS[place] == LABELS[own]:
            continue
        powers[place] = math.exp(SCALE * _cosine(asked, answer))
    return -math.log(powers[own] / sum(powers.values()))


def _mean_loss(asked: Sequence[list[float]], answers: Sequence[list[float]], masked: bool) -> float:
    return sum(_loss(each, answers, own, masked) for own, each in enumerate(asked)) / COUNT


def _terms(
    objective: Mmcoa | Mat | MatPlus, scene: Scene, batch: Batch, adversarial: Tensor
) -> dict[str, float]:
    with torch.no_grad():
        return {name: float(term) for name, term in objective.terms(scene, batch, adversarial).items()}


def _features(
    scene: Scene, batch: Batch, adversarial: Tensor
) -> tuple[list[list[float]], list[list[float]], list[list[float]], list[list[float]]]:
    """x, x', t, t'."""
    assert batch.texts is not None
    return (
        [_sample(scene, each) for each in batch.samples],
        [_sample(scene, each) for each in adversarial],
        [_text(scene, each) for each in batch.texts.clean],
        [_text(scene, each) for each in batch.texts.adversarial],
    )


@pytest.mark.parametrize("same_class", ["negative", "masked"])
def test_mmcoa_crosses_clean_and_perturbed(
    scene: Scene, batch: Batch, adversarial: Tensor, same_class: str
) -> None:
    objective = Mmcoa(lam_t=0.25, lam_i=2.0, same_class=same_class)
    batch, masked = _with_texts(objective, scene, batch), same_class == "masked"
    x, x_adv, t, t_adv = _features(scene, batch, adversarial)
    terms = _terms(objective, scene, batch, adversarial)
    assert terms == {
        "attacked texts": pytest.approx(
            0.25 * (_mean_loss(x, t_adv, masked) + _mean_loss(t_adv, x, masked)), rel=1e-4
        ),
        "attacked samples": pytest.approx(
            2 * (_mean_loss(x_adv, t, masked) + _mean_loss(t, x_adv, masked)), rel=1e-4
        ),
    }


def test_mmcoas_attackers_know_all_classes_and_no_sample(scene: Scene, batch: Batch) -> None:
    objective = Mmcoa()
    batch = _with_texts(objective, scene, batch)
    assert batch.texts is not None
    assert batch.texts.clean[0] == "a photo of a cat"
    assert len(set(zip(LABELS.tolist(), batch.texts.adversarial, strict=True))) == 3  # one a class
    texts = [_text(scene, f"a photo of a {label}") for label in SIDE["labels"]]
    value = objective.goal(scene, batch)(batch.samples, torch.arange(COUNT)).detach()
    for row in range(COUNT):
        cosines = [_cosine(_sample(scene, batch.samples[row]), text) for text in texts]
        powers = [math.exp(SCALE * each) for each in cosines]
        assert float(value[row]) == pytest.approx(-math.log(powers[LABELS[row]] / sum(powers)), rel=1e-4)


def test_logits_keep_all_digits_where_the_towers_do_not(scene: Scene) -> None:
    features = torch.randn(4, image_card().projection_dim, generator=torch.Generator().manual_seed(0))
    exact = scene.logits(features)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(scene.logits(features), exact, rtol=0, atol=0)


@pytest.mark.parametrize("objective", [Mat(), Mat(same_class="negative"), MatPlus()])
def test_mat_binds_perturbed_samples_to_perturbed_texts(
    scene: Scene, batch: Batch, adversarial: Tensor, objective: Mat | MatPlus
) -> None:
    batch, masked = _with_texts(objective, scene, batch), objective.same_class == "masked"
    x, x_adv, _, t_adv = _features(scene, batch, adversarial)
    terms = _terms(objective, scene, batch, adversarial)
    assert terms == {
        "to text": pytest.approx(_mean_loss(x_adv, t_adv, masked) / 2, rel=1e-4),
        "to sample": pytest.approx(_mean_loss(t_adv, x_adv, masked) / 2, rel=1e-4),
    }
    value = objective.goal(scene, batch)(adversarial, torch.arange(COUNT)).detach()
    for row in range(COUNT):
        meeting = [*x[:row], x_adv[row], *x[row + 1 :]]  # the others as they are
        wanted = _loss(x_adv[row], t_adv, row, masked) + _loss(t_adv[row], meeting, row, masked)
        assert float(value[row]) == pytest.approx(wanted / 2, rel=1e-4)


@pytest.mark.parametrize("objective", METHODS)
def test_the_goal_of_a_subset_is_that_of_its_rows(
    objective: Mmcoa | Mat | MatPlus, scene: Scene, batch: Batch
) -> None:
    goal = objective.goal(scene, _with_texts(objective, scene, batch))
    rows = torch.tensor([4, 1])
    with torch.no_grad():
        whole = goal(batch.samples, torch.arange(COUNT))
        part = goal(batch.samples[rows], rows)
    torch.testing.assert_close(part, whole[rows], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("objective", METHODS)
def test_one_word_of_a_text_is_attacked_and_both_towers_learn(
    objective: Mmcoa | Mat | MatPlus, scene: Scene, batch: Batch, adversarial: Tensor
) -> None:
    batch = _with_texts(objective, scene, batch)
    assert batch.texts is not None
    moves = [changed_words(*each) for each in zip(batch.texts.clean, batch.texts.adversarial, strict=True)]
    assert all(len(each) <= 1 for each in moves)
    assert any(moves)
    assert scene.text is not None
    towers = (scene.student, scene.text.encoder)
    for tower in towers:
        tower.requires_grad_(True).zero_grad()
    sum(objective.terms(scene, batch, adversarial).values()).backward()
    for tower in towers:
        assert all(
            parameter.grad is not None and parameter.grad.abs().sum() > 0
            for name, parameter in tower.named_parameters()
            if name != "logit_scale"
        )
        tower.zero_grad()


def test_mats_texts_leave_their_sample(scene: Scene, batch: Batch) -> None:
    objective = Mat()
    batch = _with_texts(objective, scene, batch)
    assert batch.texts is not None
    for row in range(COUNT):
        sample = _sample(scene, batch.samples[row])
        before, after = batch.texts.clean[row], batch.texts.adversarial[row]
        cosines = [_cosine(sample, _text(scene, each)) for each in (before, after)]
        assert cosines[1] < cosines[0] or before == after


def test_mat_plus_draws_from_every_prompt_and_name_of_the_class(scene: Scene) -> None:
    assert scene.text is not None
    captions = all_captions(scene.text)
    assert captions[0] == [
        f.replace("{}", name) for name in ("cat", "kitten", "tom") for f in ("a photo of a {}", "the {}")
    ]
    labels = torch.zeros(600, dtype=torch.int64)
    drawn = chosen(captions, labels, torch.rand(600, generator=torch.Generator().manual_seed(0)))
    assert set(drawn) == set(captions[0])
    assert all(60 < drawn.count(each) < 140 for each in captions[0])  # 100 expected, standard deviation 9


@pytest.mark.parametrize("name", ["mmcoa", "mat", "mat_plus"])
def test_the_trainer_writes_both_towers_and_one_seed_gives_the_same(tmp_path: Path, name: str) -> None:
    stage = {**STAGE, "objective": {"name": name}, "steps": 2, "validate_every": 2}
    recipe = write_problem(tmp_path, [stage], words=str(WORDS))
    runs = [train(recipe, tmp_path / run).stages[f"1. {name}"] for run in ("first", "second")]
    assert [each.loss for each in runs[0]] == [each.loss for each in runs[1]]
    first, second = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    for tower, origin in (("image", tmp_path / "checkpoint"), ("text", TEXT)):
        before = load_file(origin / "model.safetensors")
        after = load_file(tmp_path / "first/out" / tower / "model.safetensors")
        assert any(not torch.equal(value.float(), after[key].float()) for key, value in before.items())


def test_a_method_that_attacks_texts_needs_words(tmp_path: Path) -> None:
    path = write_problem(tmp_path, [{**STAGE, "objective": {"name": "mat"}}])
    with pytest.raises(ConfigError, match="must name a lexicon"):
        read_recipe(path)


def test_a_stage_after_one_that_trained_the_text_has_its_anchors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def spy(stage: Stage, *rest: object, **others: object) -> None:
        seen.append(stage.scenes[0])
        run_stage(stage, *rest, **others)

    run_stage = harden.train
    monkeypatch.setattr(harden, "train", spy)
    first = {**STAGE, "objective": {"name": "mat"}, "steps": 2, "validate_every": 2, "lr": 0.01}
    second = {**STAGE, "objective": {"name": "tecoa"}, "steps": 2, "validate_every": 2}
    train(write_problem(tmp_path, [first, second], words=str(WORDS)), tmp_path / "run")
    before, after = (each.anchors for each in seen)
    assert not torch.allclose(before, after, atol=1e-3)
    torch.testing.assert_close(after, anchors_of(seen[1].text))
