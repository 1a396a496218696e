# SPDX-License-Identifier: Apache-2.0
"""Prompts under attack: what the encoder is asked by, with attacked samples and without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_sets import ROOT, SmallSets, write_small_sets

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.cifar10 import CLASSES
from rvl_edge.offline.evaluation.arms import Effort
from rvl_edge.offline.evaluation.plans import Asked, Conditions, Means, bundle_run, checkpoint_run
from rvl_edge.offline.evaluation.prompts import PROMPT_ATTACKS, PromptAttack
from rvl_edge.offline.evaluation.running import Share
from rvl_edge.offline.evaluation.subjects import text_anchors
from rvl_edge.offline.hardening.attacks.text.words import Lexicon, read_lexicon
from rvl_edge.types import Modality

WORDS = ROOT / "calibration/words/english.yaml"
EPS = 8 / 255


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallSets:
    return write_small_sets(tmp_path_factory.mktemp("small"))


def _asked(small: SmallSets) -> Asked:
    return Asked(small.data, text=small.text, labels=small.labels)


@pytest.mark.parametrize("name", PROMPT_ATTACKS)
def test_every_condition_is_asked_by_attacked_prompts_too(
    small: SmallSets, tmp_path: Path, name: str
) -> None:
    conditions = Conditions(
        attacks=("pgd",), eps=(EPS,), effort=Effort(steps=2), prompts=(name,), words=WORDS
    )
    run = checkpoint_run("small", small.checkpoint, _asked(small), conditions, Means(tmp_path))
    run.compute(Share(), lambda title, done, total, rate: None)
    found = run.collect()
    assert found is not None
    outcomes = {each.condition.title: each for each in found.outcomes}
    assert list(outcomes) == ["clean", "pgd 8/255", name, f"{name}+pgd 8/255"]
    assert outcomes[name].condition.settings["prompts_edits"] == 1

    anchors = text_anchors(
        small.text,
        small.labels,
        Modality.IMAGE,
        CLASSES,
        PromptAttack(name, 1, read_lexicon(WORDS)),
    )
    samples, _ = run.exam.batch(slice(None))
    with torch.no_grad():
        logits = run.judge.logits(samples)
    assert outcomes["clean"].answers.tolist() == logits.argmax(dim=1).tolist()
    encoder = run.judge.logits.encoder  # type: ignore[attr-defined]
    with torch.no_grad():
        embedding = encoder.encode(run.exam.domain.model_input(samples)).numpy()
    assert outcomes[name].answers.tolist() == (embedding @ anchors.T).argmax(axis=1).tolist()
    for title in ("pgd 8/255", f"{name}+pgd 8/255"):
        unharmed = outcomes[title.replace("+pgd 8/255", "").replace("pgd 8/255", "clean")]
        wrong = unharmed.answers != found.truths
        np.testing.assert_array_equal(outcomes[title].answers[wrong], unharmed.answers[wrong])


def test_attacked_prompts_move_the_anchors_more_with_every_edit(small: SmallSets) -> None:
    clean = text_anchors(small.text, small.labels, Modality.IMAGE, CLASSES)
    nothing = PromptAttack("words", 1, Lexicon(stop_words=frozenset(), substitutes={}))
    same = text_anchors(small.text, small.labels, Modality.IMAGE, CLASSES, nothing)
    np.testing.assert_array_equal(same, clean)
    lexicon, nearness = read_lexicon(WORDS), []
    for edits in (1, 2):
        attack = PromptAttack("characters", edits, lexicon)
        moved = text_anchors(small.text, small.labels, Modality.IMAGE, CLASSES, attack)
        np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-5)
        nearness.append(float((moved * clean).sum(axis=1).mean()))
    assert 1 > nearness[0] > nearness[1]


def test_unknown_attacks_and_bundles_are_refused(small: SmallSets, tmp_path: Path) -> None:
    wrong = Conditions(prompts=("emoji",), words=WORDS)
    with pytest.raises(ConfigError, match="words, characters"):
        checkpoint_run("small", small.checkpoint, _asked(small), wrong, Means(tmp_path))
    conditions = Conditions(prompts=("words",), words=WORDS)
    with (
        pytest.raises(ConfigError, match="a bundle's prompts are not attacked"),
        bundle_run(
            "bundle",
            None,
            modality=Modality.IMAGE,
            backend="onnxruntime",
            asked=_asked(small),
            conditions=conditions,
            means=Means(tmp_path),
        ),
    ):
        pass
