# SPDX-License-Identifier: Apache-2.0
"""Samples on their way from the sensor through the attacker's domain, against the robot's preprocessing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from small_sets import HALF, SmallSets, write_small_sets

from rvl_edge.bundle import Bundle
from rvl_edge.offline.datasets.loading import load_part
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.exam import Exam, set_exam
from rvl_edge.offline.evaluation.trials import prepare
from rvl_edge.preprocess.spec import ImageSpec, VideoSpec
from rvl_edge.types import Modality


def _exam(small: SmallSets, modality: Modality, spec: ImageSpec | VideoSpec) -> Exam:
    return set_exam(modality, spec, small.data)


def test_the_hash_is_of_what_the_sensor_gave(tmp_path: Path) -> None:
    small = write_small_sets(tmp_path)
    image = ImageSpec(size=32, mean=HALF, std=HALF)
    two, four = (VideoSpec(size=32, mean=HALF, std=HALF, num_frames=frames) for frames in (2, 4))
    stills = load_part(Modality.IMAGE, small.data, Part.TEST)
    of_stills = hashlib.sha256(stills.data.tobytes() + stills.labels.tobytes()).hexdigest()
    assert _exam(small, Modality.IMAGE, image).described.sha256 == of_stills
    clips = [_exam(small, Modality.VIDEO, spec) for spec in (two, four)]
    for each in clips:
        content = b"".join(clip.tobytes() for clip in each.stimuli.samples) + stills.labels.tobytes()
        assert each.described.sha256 == hashlib.sha256(content).hexdigest()
    assert clips[0].described.sha256 != clips[1].described.sha256


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
