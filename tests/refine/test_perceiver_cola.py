# SPDX-License-Identifier: Apache-2.0
"""COLA inside Perceiver, over a random bundle, against its steps taken one by one."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny_bundle as maker

import rvl_edge as rvl
from rvl_edge import preprocess as pre
from rvl_edge.errors import ConfigError
from rvl_edge.refine import Cola, ColaSettings, PromptSet, frame_seed, make_views
from rvl_edge.types import Spent

RANDOM = np.random.default_rng(11)
PICTURE = RANDOM.integers(0, 256, (48, 64, 3), np.uint8)
COUNTS = RANDOM.integers(20_000, 40_000, (50, 60), np.uint16)
SOUND = (RANDOM.normal(size=24_000) * 0.1).astype(np.float32)
FRAMES = RANDOM.integers(0, 256, (9, 40, 50, 3), np.uint8)

SENSES: dict[rvl.Modality, Callable[[rvl.Perceiver], rvl.Perception]] = {
    rvl.Modality.IMAGE: lambda perceiver: perceiver.image(PICTURE),
    rvl.Modality.THERMAL: lambda perceiver: perceiver.thermal(COUNTS),
    rvl.Modality.AUDIO: lambda perceiver: perceiver.audio(SOUND, sample_rate=16_000),
    rvl.Modality.VIDEO: lambda perceiver: perceiver.video(FRAMES),
}
INPUTS = {
    rvl.Modality.IMAGE: lambda spec: pre.preprocess_image(PICTURE, spec),
    rvl.Modality.THERMAL: lambda spec: pre.preprocess_thermal(COUNTS, spec),
    rvl.Modality.AUDIO: lambda spec: pre.preprocess_audio(SOUND, spec, sample_rate=16_000),
    rvl.Modality.VIDEO: lambda spec: pre.preprocess_video(FRAMES, spec),
}
senses = pytest.mark.parametrize("sense", SENSES)


@pytest.fixture
def perceiver(tiny_bundle: Path) -> Iterator[rvl.Perceiver]:
    with rvl.Perceiver.open(tiny_bundle, threads=1, cola=True) as opened:
        yield opened


def ranked(seen: rvl.Perception) -> dict[str, float]:
    return {label.name: label.probability for label in seen.labels}


@senses
def test_labels_are_colas(perceiver: rvl.Perceiver, sense: rvl.Modality) -> None:
    seen = SENSES[sense](perceiver)
    inputs = INPUTS[sense](maker.SPECS[sense])
    views = perceiver.encode_batch(sense, make_views(inputs, sense, 5, frame_seed(inputs)))
    np.testing.assert_allclose(seen.embedding, views[0], atol=1e-6)

    labels = maker.LABELS[maker.LABEL_SET[sense]]
    forms = ("a photo of a {}", "one {} seen by a robot")
    texts = perceiver.embed_text([form.replace("{}", label) for label in labels for form in forms])
    scores = Cola(texts.reshape(len(labels), len(forms), -1), logit_scale=20.0).scores(views)
    shares = np.exp(20.0 * scores)
    wanted = dict(zip(labels, shares / shares.sum(), strict=True))
    assert list(ranked(seen)) == sorted(labels, key=wanted.__getitem__, reverse=True)
    assert ranked(seen) == pytest.approx(wanted, abs=1e-4)
    assert seen.timing.refine > 0


@senses
def test_off_is_the_plain_path_and_on_is_deterministic(perceiver: rvl.Perceiver, sense: rvl.Modality) -> None:
    refined = SENSES[sense](perceiver)
    assert ranked(SENSES[sense](perceiver)) == ranked(refined)
    perceiver.set_cola(False)
    plain = SENSES[sense](perceiver)
    assert perceiver.cola is None
    assert plain.timing.refine == 0
    assert plain.labels == perceiver.classify(sense, plain.embedding)
    assert ranked(plain) != pytest.approx(ranked(refined), abs=1e-4)
    perceiver.set_cola(True)
    assert ranked(SENSES[sense](perceiver)) == ranked(refined)


def test_settings_reach_the_views_and_the_scores(perceiver: rvl.Perceiver) -> None:
    perceiver.set_cola(ColaSettings(views=1, rank=2))
    assert perceiver.cola == ColaSettings(views=1, rank=2)
    seen = perceiver.image(PICTURE)
    cola = Cola(perceiver.anchors("image").prompts, logit_scale=20.0, settings=ColaSettings(rank=2))
    shares = np.exp(20.0 * cola.scores(seen.embedding[None]))
    wanted = dict(zip(perceiver.labels("image"), shares / shares.sum(), strict=True))
    assert ranked(seen) == pytest.approx(wanted, abs=1e-5)


def test_follows_a_change_of_labels(perceiver: rvl.Perceiver) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rvl.UntrainedLabelWarning)
        version = perceiver.set_labels(["kettle", "anvil", "harp", "dog"])
    seen = perceiver.image(PICTURE)
    assert set(ranked(seen)) == {"kettle", "anvil", "harp", "dog"}
    assert seen.labels_version == version
    assert sum(ranked(seen).values()) == pytest.approx(1)


def test_a_prompt_set_is_used_where_it_covers_the_labels(perceiver: rvl.Perceiver) -> None:
    descriptions = {
        "dog": ("a wet nose", "it barks"),
        "car": ("four wheels", "a road"),
        "person": ("a face", "a coat"),
    }
    by_templates = SENSES[rvl.Modality.AUDIO](perceiver)
    perceiver.set_cola(ColaSettings(views=1), prompts={rvl.Modality.IMAGE: PromptSet(descriptions)})
    seen = perceiver.image(PICTURE)
    flat = [text for label in perceiver.labels("image") for text in descriptions[label]]
    cola = Cola(perceiver.embed_text(flat).reshape(3, 2, -1), logit_scale=20.0)
    shares = np.exp(20.0 * cola.scores(seen.embedding[None]))
    wanted = dict(zip(perceiver.labels("image"), shares / shares.sum(), strict=True))
    assert ranked(seen) == pytest.approx(wanted, abs=1e-5)
    perceiver.set_cola(True, prompts={rvl.Modality.IMAGE: PromptSet(descriptions)})
    assert ranked(SENSES[rvl.Modality.AUDIO](perceiver)) == ranked(by_templates), "no sound is described"


def test_switching_and_relabelling_while_perceiving_never_mixes(tiny_bundle: Path) -> None:
    sets = (["dog", "car"], ["person", "dog", "car"])
    with rvl.Perceiver.open(tiny_bundle, threads=1) as perceiver:
        wanted = set()
        for labels in sets:
            perceiver.set_labels(labels, "image")
            for cola in (False, True):
                perceiver.set_cola(cola)
                wanted.add(
                    tuple((each.name, round(each.probability, 4)) for each in perceiver.image(PICTURE).labels)
                )
        assert len(wanted) == 4
        stop, seen, errors = threading.Event(), set(), []

        def look() -> None:
            while not stop.is_set():
                try:
                    labels = perceiver.image(PICTURE).labels
                except Exception as error:
                    errors.append(error)
                    return
                seen.add(tuple((each.name, round(each.probability, 4)) for each in labels))

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for turn in range(40):
            perceiver.set_labels(sets[turn % 2], "image")
            perceiver.set_cola(turn % 4 < 2)
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert seen <= wanted


def test_what_cannot_be_used_changes_nothing(own_bundle: Path) -> None:
    path = own_bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["senses"]["thermal"]["logit_scale"] = 1e6
    path.write_text(json.dumps(manifest))
    with pytest.raises(ConfigError, match="logit scale"):
        rvl.Perceiver.open(own_bundle, cola=True)
    with rvl.Perceiver.open(own_bundle, modalities=["image"], cola=True) as perceiver:
        assert perceiver.image(PICTURE).timing.refine > 0
    with rvl.Perceiver.open(own_bundle) as perceiver:
        with pytest.raises(ConfigError, match="logit scale"):
            perceiver.set_cola(True)
        assert perceiver.cola is None
        assert perceiver.image(PICTURE).timing.refine == 0


@senses
def test_a_shut_gate_is_the_plain_path(perceiver: rvl.Perceiver, sense: rvl.Modality) -> None:
    perceiver.set_cola(ColaSettings(gate=rvl.Gate(margin=0)))
    seen = SENSES[sense](perceiver)
    assert seen.refinement == rvl.Refinement(views=1, classes=0, why=Spent.SPARED)
    assert seen.labels == perceiver.classify(sense, seen.embedding)


@senses
def test_an_open_gate_is_cola(perceiver: rvl.Perceiver, sense: rvl.Modality) -> None:
    always = SENSES[sense](perceiver)
    assert always.refinement == rvl.Refinement(5, len(always.labels), Spent.ALWAYS)
    perceiver.set_cola(ColaSettings(gate=rvl.Gate(margin=1)))
    seen = SENSES[sense](perceiver)
    assert seen.refinement == rvl.Refinement(5, len(always.labels), Spent.UNSURE)
    assert ranked(seen) == pytest.approx(ranked(always), abs=1e-5)


def test_the_gate_opens_below_its_margin_only(perceiver: rvl.Perceiver) -> None:
    perceiver.set_cola(False)
    first, second, *_ = (each.probability for each in perceiver.image(PICTURE).labels)
    for margin, why in ((first - second - 1e-4, Spent.SPARED), (first - second + 1e-4, Spent.UNSURE)):
        perceiver.set_cola(ColaSettings(gate=rvl.Gate(margin=margin)))
        refinement = perceiver.image(PICTURE).refinement
        assert refinement is not None
        assert refinement.why is why


def test_a_budget_that_nothing_meets_leaves_one_view(perceiver: rvl.Perceiver) -> None:
    perceiver.set_cola(ColaSettings(budget_ms=1e-3))
    spent = [perceiver.image(PICTURE).refinement for _ in range(3)]
    assert [each.views for each in spent if each is not None] == [5, 1, 1]
