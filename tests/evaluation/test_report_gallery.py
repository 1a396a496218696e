# SPDX-License-Identifier: Apache-2.0
"""Examples in a report are attacked samples of the encoder, within the radius that stands above them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from linear_encoder import Plain, Problem, problem
from linear_exam import linear_run

from rvl_edge.offline.evaluation.arms import Effort
from rvl_edge.offline.evaluation.asking import CLEAN, attack_arm
from rvl_edge.offline.evaluation.budgets import Ball
from rvl_edge.offline.evaluation.masking import checklist
from rvl_edge.offline.evaluation.results import Evaluation
from rvl_edge.offline.evaluation.running import Run, Share
from rvl_edge.offline.hardening.domains import FilterBank
from rvl_edge.offline.hardening.threat import Norm
from rvl_edge.offline.reporting.card import make_card
from rvl_edge.offline.reporting.documents import Documents
from rvl_edge.offline.reporting.gallery import gallery_of
from rvl_edge.offline.reporting.markdown import as_markdown
from rvl_edge.offline.reporting.page import as_page
from rvl_edge.offline.reporting.pictures import magnified, png, visible
from rvl_edge.preprocess.spec import AudioSpec
from rvl_edge.types import Modality

EPS = 8 / 255


@pytest.fixture
def attacked(tmp_path: Path) -> tuple[Run, Evaluation]:
    plain = problem(count=40, size=3 * 4 * 4)
    plain.encoder.weights.data -= plain.encoder.weights.data.mean(dim=1, keepdim=True)  # all classes occur
    labels = (plain.samples @ plain.encoder.weights.detach().T).argmax(dim=1)
    pictures = Problem(plain.encoder, plain.samples.view(-1, 3, 4, 4), labels)
    arm = attack_arm("pgd", Ball(Norm.LINF, EPS), Effort(steps=5))
    run = linear_run(pictures, (arm,), tmp_path)
    run.compute(Share(), lambda *_: None)
    evaluation = run.collect()
    assert evaluation is not None
    return run, evaluation


def test_examples_are_right_as_they_are_one_a_class_and_within_the_radius(
    attacked: tuple[Run, Evaluation],
) -> None:
    run, evaluation = attacked
    gallery = gallery_of(evaluation, run, run.arms[0], count=3)
    assert gallery.attack == "pgd 8/255"
    assert len({each.truth for each in gallery.examples}) == 3
    for each in gallery.examples:
        assert each.before.label == each.truth == f"class {int(evaluation.truths[each.place])}"
        assert each.clean.shape == (4, 4, 3)
        assert 0 < np.abs(each.attacked - each.clean).max() <= EPS + 1e-6
        asked = run.judge.logits(torch.from_numpy(each.attacked.transpose(2, 0, 1).copy())[None])
        assert each.after.label == f"class {int(asked.argmax())}"


def test_the_page_shows_three_pictures_an_example(attacked: tuple[Run, Evaluation]) -> None:
    run, evaluation = attacked
    gallery = gallery_of(evaluation, run, run.arms[0], count=2)
    page = as_page(make_card("x", Documents((evaluation,))), [gallery])
    assert page.count('src="data:image/png;base64,') == 6
    other = dataclasses.replace(
        gallery, evaluation=evaluation.model_copy(update={"modality": Modality.THERMAL})
    )
    assert "image/png" not in as_page(make_card("x", Documents((evaluation,))), [other])


def test_differences_are_magnified_about_grey_until_they_fill_the_range() -> None:
    clean = np.full((2, 2, 1), 0.3, np.float32)
    attacked = clean + np.array([0.01, -0.02, 0, 0.005], np.float32).reshape(2, 2, 1)
    shown, factor = magnified(clean, attacked)
    assert factor == pytest.approx(25)
    np.testing.assert_allclose(shown.ravel(), [0.75, 0, 0.5, 0.625], atol=1e-5)
    assert magnified(clean, clean)[1] == 1


def test_clips_show_frames_side_by_side_and_sounds_their_filter_bank_upright() -> None:
    clips = torch.arange(8.0)[None, None, :, None, None].expand(2, 3, 8, 5, 6) / 8
    film = visible(clips, Modality.VIDEO, Plain())
    assert film.shape == (2, 5, 24, 3)
    np.testing.assert_allclose(film[0, 0, ::6, 0], [0, 2 / 8, 4 / 8, 7 / 8])
    spec = AudioSpec(num_mel_bins=8, target_length=8, mean=0, std=1)
    banks = torch.linspace(0.2, 0.8, 8)[:, None].expand(1, 1, 8, 8)
    heard = visible(banks, Modality.AUDIO, FilterBank(spec))
    np.testing.assert_allclose(heard[0, :, 0, 0], np.linspace(0.8, 0.2, 8), atol=1e-6)


def test_a_png_keeps_its_colours() -> None:
    picture = np.zeros((3, 4, 3), np.float32)
    picture[..., 0] = 1
    read = cv2.imdecode(np.frombuffer(png(picture), np.uint8), cv2.IMREAD_COLOR)
    assert read.shape == (3, 4, 3)
    assert read[0, 0].tolist() == [0, 0, 255]  # OpenCV's BGR


def test_the_page_gives_the_verdict_of_each_sign_of_honest_gradients(tmp_path: Path) -> None:
    run = linear_run(problem(count=20), (CLEAN, *checklist(0.02)), tmp_path)
    run.compute(Share(), lambda *_: None)
    evaluation = run.collect()
    assert evaluation is not None
    card = make_card("x", Documents((evaluation,)))
    signs = card.senses[0].encoders[0].signs
    assert len(signs) >= 5
    page, text = as_page(card), as_markdown(card)
    held = sum(each.passed for each in signs)
    assert page.count('<td class="good">holds</td>') == text.count("| holds |") == held
    assert page.count('<td class="bad">FAILS</td>') == text.count("| FAILS |") == len(signs) - held
    assert not any("masked" in gap for gap in card.not_tested)
