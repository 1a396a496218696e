# SPDX-License-Identifier: Apache-2.0
"""A run of attackers in parts: resumed, put together, written and read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from linear_encoder import LinearEncoder, Plain
from pydantic import ValidationError

from rvl_edge.offline.evaluation.adaptive.attackers import Attackers
from rvl_edge.offline.evaluation.adaptive.defences import COLA, GATED, Defences
from rvl_edge.offline.evaluation.adaptive.measuring import ATTACKS
from rvl_edge.offline.evaluation.adaptive.results import WORST, ColaEvaluation
from rvl_edge.offline.evaluation.adaptive.running import ColaRun
from rvl_edge.offline.evaluation.adaptive.views import Variation
from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.evaluation.exam import Exam
from rvl_edge.offline.evaluation.results import SampleSet, Subject, write_evaluation
from rvl_edge.offline.evaluation.trials import Question, Stimuli
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.threat import Norm, Threat
from rvl_edge.offline.towers import Encoder
from rvl_edge.refine import ColaSettings, Gate
from rvl_edge.types import Modality

CLASSES, COUNT, BATCH = 3, 10, 4


@pytest.fixture
def run(tmp_path: Path) -> ColaRun:
    generator = torch.Generator().manual_seed(0)
    samples = torch.rand(COUNT, 3, 8, 8, generator=generator)
    encoder = cast(Encoder, LinearEncoder(torch.randn(6, 192, generator=generator)))
    texts = torch.nn.functional.normalize(torch.randn(CLASSES, 1, 6, generator=generator), dim=-1).numpy()
    anchors = texts[:, 0]
    classifier = Classifier(encoder, Plain(), torch.from_numpy(anchors), 10.0)
    answers = classifier(samples).argmax(dim=1).numpy()
    labels = ("a", "b", "c")
    exam = Exam(
        Modality.IMAGE,
        Plain(),
        lambda chosen: torch.from_numpy(np.stack(chosen)),
        Stimuli(list(samples.numpy()), 0, ()),
        Question("letters", labels, answers),
        SampleSet(
            name="made-up",
            part="test",
            count=COUNT,
            sha256="0" * 64,
            simulated=True,
            label_set="letters",
            labels=labels,
            domain="numbers",
        ),
    )
    subject = Subject(
        name="linear",
        kind="checkpoint",
        sha256="1" * 64,
        anchors_sha256="2" * 64,
        scale=10.0,
        precision="float32",
    )
    settings = ColaSettings(views=3)
    attackers = Attackers(
        classifier, Variation(Modality.IMAGE, 3, settings.keep), Pgd(Threat(Norm.LINF, 0.05), 3, 0.02)
    )
    return ColaRun(
        exam,
        subject,
        attackers,
        Defences(texts, anchors, 10.0, settings, Gate()),
        BATCH,
        tmp_path / "parts",
    )


def quiet(done: int, total: int) -> None:
    pass


def verdicts(found: ColaEvaluation) -> dict[tuple[str, str], list[bool]]:
    return {
        (each.attack, verdict.defence): verdict.right.tolist()
        for each in found.outcomes
        for verdict in each.verdicts
    }


def test_a_killed_run_goes_on_and_ends_the_same(run: ColaRun, tmp_path: Path) -> None:
    def kill(done: int, total: int) -> None:
        if done == 2 * BATCH:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.compute(kill)
    (folder,) = run.folder.iterdir()
    first, second = sorted(folder.iterdir())
    before = first.stat().st_mtime_ns
    second.write_bytes(second.read_bytes()[:100])  # as a full disk leaves it
    resumed = run.compute(quiet)
    assert first.stat().st_mtime_ns == before
    assert verdicts(resumed) == verdicts(replace(run, folder=tmp_path / "other").compute(quiet))


def test_another_eps_has_parts_of_its_own(run: ColaRun) -> None:
    run.compute(quiet)
    wider = replace(run.attackers, pgd=replace(run.attackers.pgd, threat=Threat(Norm.LINF, 0.2)))
    replace(run, attackers=wider).compute(quiet)
    assert len(list(run.folder.iterdir())) == 2


def test_the_file_is_read_back_and_its_cells_add_up(run: ColaRun, tmp_path: Path) -> None:
    found = run.compute(quiet)
    write_evaluation(found, tmp_path / "cola.json")
    again = ColaEvaluation.model_validate_json((tmp_path / "cola.json").read_bytes())
    assert verdicts(again) == verdicts(found)
    assert [each.attack for each in again.outcomes] == list(ATTACKS)
    cells = {(each.defence, each.attack): each for each in again.cells()}
    right = verdicts(found)
    everything = np.logical_and.reduce([right[attack, COLA] for attack in ATTACKS])
    assert cells[COLA, WORST].accuracy.value == pytest.approx(everything.mean())
    assert cells[COLA, ATTACKS[0]].opened is None
    assert cells[GATED, ATTACKS[0]].opened == pytest.approx(found.outcomes[0].opened.mean())


def test_a_file_with_a_sample_too_few_is_refused(run: ColaRun) -> None:
    document = run.compute(quiet).model_dump(mode="json")
    document["samples"]["count"] += 1
    with pytest.raises(ValidationError, match="does not have 11 rows"):
        ColaEvaluation.model_validate(document)
