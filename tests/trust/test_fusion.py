# SPDX-License-Identifier: Apache-2.0
"""Scenes from perceptions: who counts, who is missing, and who is blamed when senses disagree."""

from __future__ import annotations

import numpy as np
import pytest

from rvl_edge.bundle.manifest import LabelSet
from rvl_edge.errors import ConfigError
from rvl_edge.trust import Fusion, Scene
from rvl_edge.trust.concepts import Concepts
from rvl_edge.types import UNKNOWN, Label, Modality, Perception, Timing, Trust

IMAGE, THERMAL, AUDIO, VIDEO = Modality.IMAGE, Modality.THERMAL, Modality.AUDIO, Modality.VIDEO
CARS = Concepts([LabelSet(labels=("automobile",), modalities=(IMAGE,), synonyms={"automobile": ("car",)})])


def seen(modality: Modality, trust: float | None = None, decision: str = "", **chances: float) -> Perception:
    ranked = tuple(Label(name, each) for name, each in sorted(chances.items(), key=lambda each: -each[1]))
    return Perception(
        modality,
        np.zeros(2, np.float32),
        ranked,
        1,
        Timing(0, 0, 0, 0),
        decision or ranked[0].name,
        trust=None if trust is None else Trust(trust),
    )


def chances(scene: Scene) -> dict[str, float]:
    return {label.name: label.probability for label in scene.labels}


def test_one_sense_alone_is_the_scene_in_its_own_words() -> None:
    fusion = Fusion(CARS)
    fusion.update(seen(THERMAL, car=0.8, person=0.2), 0.0)
    scene = fusion.scene(0.5)
    assert chances(scene) == pytest.approx({"car": 0.8, "person": 0.2})
    assert scene.decision == "car"
    assert [(vote.modality, vote.age) for vote in scene.votes] == [(THERMAL, 0.5)]


def test_two_names_of_one_thing_are_one_label_with_the_belief_in_both() -> None:
    fusion = Fusion(CARS)
    fusion.update(seen(IMAGE, automobile=0.5, car=0.3, person=0.2), 0.0)
    assert chances(fusion.scene(0.0)) == pytest.approx({"automobile": 0.8, "person": 0.2})


@pytest.mark.parametrize("order", [(IMAGE, THERMAL), (THERMAL, IMAGE)])
def test_a_thing_of_two_names_is_called_what_the_first_sense_calls_it(order: tuple[Modality, ...]) -> None:
    names = {IMAGE: "automobile", THERMAL: "car"}
    fusion = Fusion(CARS)
    for sense in order:
        fusion.update(seen(sense, **{names[sense]: 0.9, "person": 0.1}), 0.0)
    assert fusion.scene(0.0).decision == "automobile"


def test_what_was_taken_ahead_of_the_clock_has_no_age() -> None:
    fusion = Fusion()
    fusion.update(seen(IMAGE, cat=1.0), 0.5)
    assert [vote.age for vote in fusion.scene(0.0).votes] == [0.0]


def test_a_stale_sense_is_missing_as_if_it_had_never_been() -> None:
    fusion, alone = Fusion(), Fusion()
    fusion.update(seen(AUDIO, dog=0.9, rain=0.1), 0.0)
    for each in (fusion, alone):
        each.update(seen(IMAGE, cat=0.6, dog=0.4), 10.0)
    assert fusion.scene(10.1).missing == (AUDIO,)
    assert fusion.scene(10.1).labels == alone.scene(10.1).labels
    assert fusion.scene(1e6).labels == ()
    assert fusion.scene(1e6).decision == UNKNOWN


def test_a_clock_that_was_set_back_makes_what_was_heard_stale() -> None:
    fusion = Fusion()
    fusion.update(seen(IMAGE, cat=1.0), 1e9)
    assert fusion.scene(5.0).missing == (IMAGE,)
    fusion.update(seen(IMAGE, cat=1.0), 5.0)
    assert fusion.scene(5.0).decision == "cat"


def test_order_of_arrival_does_not_matter() -> None:
    perceptions = [
        seen(IMAGE, 0.9, cat=0.6, dog=0.4),
        seen(AUDIO, 0.5, dog=0.9, rain=0.1),
        seen(THERMAL, car=1.0),
    ]
    scenes = []
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        fusion = Fusion()
        for place in order:
            fusion.update(perceptions[place], 0.0)
        scenes.append(fusion.scene(0.0))
    assert scenes[0] == scenes[1] == scenes[2]


def test_the_trusted_sense_decides() -> None:
    for image, audio, decided in ((1.0, 0.1, "cat"), (0.1, 1.0, "dog")):
        fusion = Fusion()
        fusion.update(seen(IMAGE, image, cat=0.8, dog=0.2), 0.0)
        fusion.update(seen(AUDIO, audio, cat=0.2, dog=0.8), 0.0)
        assert fusion.scene(0.0).decision == decided


def test_a_clip_of_the_cameras_own_pictures_is_no_second_witness() -> None:
    fusion = Fusion()
    fusion.update(seen(IMAGE, cat=0.8, dog=0.2), 0.0)
    fusion.update(seen(VIDEO, cat=0.8, dog=0.2), 0.0)
    assert chances(fusion.scene(0.0)) == pytest.approx({"cat": 0.8, "dog": 0.2})


def test_senses_of_one_camera_count_together_as_the_more_trusted_of_them_alone() -> None:
    fusion = Fusion()
    fusion.update(seen(IMAGE, 0.8, cat=0.8, dog=0.2), 0.0)
    fusion.update(seen(VIDEO, 0.2, cat=0.8, dog=0.2), 0.0)
    assert weights(fusion.scene(0.0)) == pytest.approx({IMAGE: 0.64, VIDEO: 0.16})


def test_no_decision_where_every_sense_has_none_or_none_counts() -> None:
    fusion = Fusion()
    fusion.update(seen(IMAGE, decision=UNKNOWN, cat=0.6, dog=0.4), 0.0)
    assert fusion.scene(0.0).decision == UNKNOWN
    fusion.update(seen(AUDIO, dog=0.9, rain=0.1), 0.0)
    assert fusion.scene(0.0).decision == "dog"
    fusion.update(seen(AUDIO, 0.0, dog=0.9, rain=0.1), 0.0)
    assert fusion.scene(0.0).decision == UNKNOWN


def disagree(image: float | None, thermal: float | None, steps: int = 30, third: bool = False) -> Scene:
    """A camera that says truck, an imager that says car, and maybe a microphone that says car too."""
    fusion = Fusion()
    for step in range(steps):
        fusion.update(seen(IMAGE, image, truck=0.99, car=0.01), float(step))
        fusion.update(seen(THERMAL, thermal, truck=0.01, car=0.99), float(step))
        if third:
            fusion.update(seen(AUDIO, truck=0.01, car=0.99), float(step))
    return fusion.scene(float(steps - 1))


def weights(scene: Scene) -> dict[Modality, float]:
    return {vote.modality: vote.weight for vote in scene.votes}


def test_a_passing_disagreement_costs_nothing() -> None:
    scene = disagree(None, None, steps=5)
    assert scene.findings == ()
    assert weights(scene) == {IMAGE: 1.0, THERMAL: 1.0}


def test_a_lasting_one_costs_the_sense_with_worse_monitors_its_vote() -> None:
    scene = disagree(0.6, 1.0)
    assert weights(scene) == {IMAGE: 0.0, THERMAL: 1.0}
    assert scene.decision == "car"
    (finding,) = scene.findings
    assert finding.monitor == "consistency"
    assert "image" in finding.detail


def test_and_both_where_nothing_tells_them_apart() -> None:
    scene = disagree(0.95, 1.0)
    assert weights(scene) == {IMAGE: 0.0, THERMAL: 0.0}
    assert scene.decision == UNKNOWN


def test_two_against_one_blame_the_one() -> None:
    assert weights(disagree(1.0, 1.0, third=True)) == {IMAGE: 0.0, THERMAL: 1.0, AUDIO: 1.0}


@pytest.mark.parametrize(("longer", "shorter"), [(AUDIO, THERMAL), (THERMAL, AUDIO)])
def test_a_sense_in_two_conflicts_keeps_what_the_graver_one_leaves(
    longer: Modality, shorter: Modality
) -> None:
    fusion = Fusion()
    for step in range(24):
        fusion.update(seen(IMAGE, truck=0.99, car=0.01), float(step))
        fusion.update(seen(longer, truck=0.01, car=0.99), float(step))
        if step >= 12:
            fusion.update(seen(shorter, truck=0.01, car=0.99), float(step))
    scene = fusion.scene(23.0)
    graver, milder = scene.findings
    assert graver.trust < milder.trust
    assert weights(scene) == {IMAGE: graver.trust, AUDIO: 1.0, THERMAL: 1.0}


def test_a_fast_sense_is_not_counted_again_against_the_same_sample_of_a_slow_one() -> None:
    fusion = Fusion()
    fusion.update(seen(THERMAL, truck=0.01, car=0.99), 0.0)
    for step in range(50):
        fusion.update(seen(IMAGE, truck=0.99, car=0.01), step / 100)
    assert fusion.scene(0.5).findings == ()


def test_ages_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="positive"):
        Fusion(max_age={IMAGE: 0.0})
