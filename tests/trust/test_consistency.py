# SPDX-License-Identifier: Apache-2.0
"""Divergence against SciPy's, and the cumulative sum's promised false-alarm rate by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from rvl_edge.bundle import Bundle
from rvl_edge.bundle.manifest import LabelSet
from rvl_edge.trust.concepts import Concepts
from rvl_edge.trust.consistency import MEAN_RUN, TOLERATED, Cusum, alarm_level, divergence
from rvl_edge.types import Modality


def test_divergence_is_scipys_on_what_both_can_name() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        p, q = random.dirichlet(np.ones(4), 2)
        first = {**dict(zip("abcd", 0.9 * p, strict=True)), "only here": 0.1}
        second = {**dict(zip("abcd", 0.8 * q, strict=True)), "only there": 0.2}
        assert divergence(first, second) == pytest.approx(jensenshannon(p, q, base=2) ** 2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"cat": 1.0, "dog": 0.0}, {"cat": 1.0, "rain": 0.0}),  # one shared concept says nothing
        ({"cat": 0.2, "dog": 0.2, "ship": 0.6}, {"cat": 1.0, "dog": 0.0}),  # sees what the other cannot name
    ],
)
def test_no_comparison_without_common_ground(first: dict[str, float], second: dict[str, float]) -> None:
    assert divergence(first, second) is None


def test_false_alarms_are_as_rare_as_promised_in_the_worst_case() -> None:
    """All or nothing is the distribution of the tolerated mean that climbs highest."""
    random = np.random.default_rng(0)
    values = (random.random(300_000) < TOLERATED).astype(float)
    cusum, alarms = Cusum(), 0
    for value in values.tolist():
        cusum.add(value)
        if cusum.trust < 1:
            alarms, cusum = alarms + 1, Cusum()
    assert alarms <= len(values) / MEAN_RUN


def test_lasting_conflict_is_found_and_forgiven_in_bounded_time() -> None:
    cusum, steps = Cusum(), 0
    while cusum.trust == 1:
        cusum.add(0.9)
        steps += 1
    assert steps == int(alarm_level() / 0.5) + 1
    for _ in range(1000):
        cusum.add(1.0)
    assert cusum.trust == 0
    agreed = 0
    while cusum.trust < 1:
        cusum.add(0.0)
        agreed += 1
    assert agreed <= alarm_level() / 0.4 + 1


def labels(*names: str, **synonyms: tuple[str, ...]) -> LabelSet:
    return LabelSet(labels=names, modalities=(Modality.IMAGE,), synonyms=synonyms)


def test_synonyms_join_labels_of_different_sets_and_shared_words_do_not() -> None:
    concepts = Concepts(
        [
            labels("car", "truck", car=("automobile", "vehicle"), truck=("vehicle",)),
            labels("Automobile", "person"),
        ]
    )
    assert concepts.of("car") == concepts.of("automobile") == concepts.of(" CAR ")
    assert len({concepts.of(each) for each in ("car", "truck", "person", "vehicle", "zebra")}) == 5


def test_a_word_for_two_labels_of_a_set_joins_neither_with_a_label_of_that_name() -> None:
    camera = labels("car", "truck", car=("vehicle",), truck=("vehicle", "lorry"))
    for imager in (labels("vehicle", "lorry"), labels("vehicle", "lorry", vehicle=("car", "truck"))):
        for sets in ([camera, imager], [imager, camera]):
            concepts = Concepts(sets)
            assert len({concepts.of(each) for each in ("car", "truck", "vehicle")}) == 3
            assert concepts.of("lorry") == concepts.of("truck")


def test_labels_of_one_set_stay_apart_whatever_lies_between_them() -> None:
    alone = labels("car", "vehicle", "truck", car=("vehicle",), truck=("vehicle",))
    chain = [
        labels("car", "truck", car=("automobile",)),
        labels("automobile", automobile=("vehicle",)),
        labels("vehicle", vehicle=("truck",)),
    ]
    for sets in ([alone], chain):
        concepts = Concepts(sets)
        assert concepts.of("car") != concepts.of("truck")
    assert len({Concepts([alone]).of(each) for each in alone.labels}) == 3


def test_the_embedded_bundles_thermal_car_is_its_cameras_automobile() -> None:
    concepts = Concepts(Bundle.open().manifest.label_sets.values())
    assert concepts.of("car") == concepts.of("automobile")
    assert concepts.of("puppy") == concepts.of("dog")
    objects = Bundle.open().manifest.label_sets["objects"].labels
    assert len({concepts.of(each) for each in objects}) == len(objects)
