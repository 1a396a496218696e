# SPDX-License-Identifier: Apache-2.0
"""Clean accuracy of COLA's parts against the perceiver's own answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_sets import write_small_sets

import rvl_edge as rvl
from rvl_edge.offline.datasets.loading import load_part
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.adaptive.defences import COLA, DEFENCES, GATED, PLAIN
from rvl_edge.offline.evaluation.refining import evaluate_refined

IMAGE = rvl.Modality.IMAGE


@pytest.mark.filterwarnings("ignore::rvl_edge.UntrainedLabelWarning")
def test_answers_are_the_perceivers(tiny_bundle: Path, tmp_path: Path) -> None:
    data = write_small_sets(tmp_path).data
    settings, gate = rvl.ColaSettings(views=3), rvl.Gate(margin=0.2)
    with rvl.Perceiver.open(tiny_bundle, threads=1) as perceiver:
        before = perceiver.labels(IMAGE)
        (found,) = evaluate_refined(perceiver, data, senses=[IMAGE], settings=settings, gate=gate)
        assert perceiver.labels(IMAGE) == before

        samples = load_part(IMAGE, data, Part.TEST)
        perceiver.set_labels(samples.classes, IMAGE)
        wanted = {PLAIN: False, COLA: settings, GATED: rvl.ColaSettings(views=3, gate=gate)}
        opened = 0
        for name, cola in wanted.items():
            perceiver.set_cola(cola)
            seen = [perceiver.image(each) for each in samples.data]
            right = sum(
                each.labels[0].name == samples.classes[label]
                for each, label in zip(seen, samples.labels, strict=True)
            )
            assert found.accuracies[DEFENCES.index(name)].value == pytest.approx(right / len(samples))
            opened = sum(each.refinement is not None and each.refinement.views > 1 for each in seen)
    assert found.opened == pytest.approx(opened / len(samples))
