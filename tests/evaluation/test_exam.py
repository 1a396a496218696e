# SPDX-License-Identifier: Apache-2.0
"""Samples on their way from the sensor through the attacker's domain, against the robot's preprocessing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rvl_edge.bundle import Bundle
from rvl_edge.offline.evaluation.exam import set_exam
from rvl_edge.offline.evaluation.trials import prepare
from rvl_edge.types import Modality


@pytest.mark.data
@pytest.mark.parametrize("at_sensor", [False, True])
@pytest.mark.parametrize("modality", [Modality.IMAGE, Modality.THERMAL, Modality.AUDIO, Modality.VIDEO])
def test_an_unperturbed_sample_is_what_the_robot_sees(
    modality: Modality, at_sensor: bool, data_dir: Path
) -> None:
    spec = Bundle.open().manifest.senses[modality].preprocess
    exam = set_exam(modality, spec, data_dir, count=5, at_sensor=at_sensor)
    samples, labels = exam.batch(slice(2, 9))
    expected = prepare(exam.stimuli.samples[2:], exam.stimuli.sample_rate, spec)
    assert 0 <= samples.min() <= samples.max() <= 1
    found = exam.domain.model_input(samples)
    near = (found - torch.from_numpy(expected)).abs() < 2e-3
    assert near.float().mean() > 0.98  # the filter bank's domain clips its outliers
    assert labels.tolist() == exam.question.answers[2:].tolist()
