# SPDX-License-Identifier: Apache-2.0
"""The material of the spoof scenario: what is attacked, how far, and what is said about it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rvl_edge_ros.spoof", reason="needs ROS 2; see docs/ros.md")

from rvl_edge_msgs.msg import Finding, Labels
from rvl_edge_ros.demo_acts import Acts
from rvl_edge_ros.spoof import ACTS, act_of, car
from rvl_edge_ros.spoof_attack import CELLS, QUERIES, Picture, attack

from rvl_edge import Label, Perceiver

pytestmark = pytest.mark.ros


def brightness(picture: Picture, border: float) -> tuple[Label, ...]:
    """`day` and `night` by four cells, equally likely where its mean brightness is at the border."""
    day = 1 / (1 + np.exp(-(float(picture[30:34, 46:50].mean()) - border)))
    labels = (Label("day", day), Label("night", 1 - day))
    return tuple(sorted(labels, key=lambda label: -label.probability))


@pytest.fixture
def grey() -> Picture:
    return np.full((2 * CELLS, 3 * CELLS, 3), 128, np.uint8)


@pytest.mark.parametrize("epsilon", [8, 32])
def test_the_attack_finds_a_change_that_does_and_goes_no_further(grey: Picture, epsilon: int) -> None:
    border = 128 - 0.8 * epsilon  # all four cells must be dark
    found = attack(lambda picture: brightness(picture, border), grey, epsilon=epsilon)
    assert found is not None
    assert found.label == brightness(found.pixels, border)[0].name == "night"
    assert np.abs(found.pixels.astype(int) - grey).max() <= epsilon


def test_the_attack_gives_up_on_what_it_cannot_change(grey: Picture) -> None:
    asked = 0

    def ask(picture: Picture) -> tuple[Label, ...]:
        nonlocal asked
        asked += 1
        return Label("rock", 0.9), Label("sand", 0.1)

    assert attack(ask, grey) is None
    assert asked == 1 + QUERIES


def test_the_acts_come_in_order_and_say_what_they_are(acts: dict[str, list]) -> None:
    assert tuple(acts) == ACTS
    assert "/255" in acts["attacked"][0].name
    assert act_of("chelsea: a cat") == act_of("honest") == ""


def test_only_a_frozen_camera_sends_the_same_picture_again(acts: dict[str, list]) -> None:
    for act, (first, second, *_) in acts.items():
        assert np.array_equal(first.pixels, second.pixels) == (act == "frozen")


def test_the_embedded_bundle_sees_a_car_until_it_is_deceived(acts: dict[str, list]) -> None:
    with Perceiver.open(modalities=["image"], threads=1) as perceiver:
        assert perceiver.image(car()).labels[0].name == "automobile"
        for act in ("honest", "honest again"):
            assert all(perceiver.image(shot.pixels).labels[0].name == "automobile" for shot in acts[act])
        for shot in acts["attacked"]:
            seen_as = perceiver.image(shot.pixels).labels[0].name
            assert seen_as != "automobile"
            assert shot.name.endswith(f"to be seen as {seen_as}")


def labels(shown: str, decision: str, trust: float, *reasons: str) -> Labels:
    message = Labels(decision=decision, trust=trust, findings=[Finding(monitor=each) for each in reasons])
    message.header.frame_id = shown
    return message


def test_results_and_scenes_are_summed_up_by_act() -> None:
    acts = Acts()
    acts.see_scene("person")
    for decision, trust in (("car", 1.0), ("car", 0.8), ("ship", 1.0)):
        acts.see(labels("honest: car", decision, trust))
        acts.see_scene("car")
    for _ in range(3):
        acts.see(labels("frozen: car", "car", 0.0, "frozen", "blur"))
        acts.see_scene("person")
    acts.see(labels("a cat", "cat", 1.0))
    acts.see_scene("cat")
    honest, frozen = acts.summary()
    assert (honest.act, honest.results, honest.decision, honest.scene) == ("honest", 3, "car", "car")
    assert honest.decision_share == pytest.approx(0.667)
    assert (honest.trust, honest.reason) == (1.0, "")
    assert (frozen.trust, frozen.reason) == (0.0, "frozen")
    assert (frozen.scene, frozen.scene_share) == ("person", 1.0)


def test_where_nothing_was_looked_for_no_trust_is_shown() -> None:
    acts = Acts()
    acts.see(labels("honest: car", "car", float("nan")))
    assert acts.summary()[0].trust is None
