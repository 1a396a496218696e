# SPDX-License-Identifier: Apache-2.0
"""Simulated clips are the same ones every time, and another camera's in each part of the set."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from rvl_edge.offline.datasets.samples import Part, Samples
from rvl_edge.offline.evaluation.trials import make_stimuli
from rvl_edge.preprocess.spec import VideoSpec

SPEC = VideoSpec(size=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), num_frames=4)
RAMP = np.linspace(0, 255, 32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8)  # one still, many cameras
SAMPLES = Samples(np.stack([RAMP] * 20), np.arange(20) % 2, ("cat", "dog"))


def test_a_part_has_the_same_clips_and_questions_every_time() -> None:
    first, second = (make_stimuli(SAMPLES, SPEC, Part.TEST) for _ in range(2))
    assert np.array_equal(np.stack(first.samples), np.stack(second.samples))
    assert [each.label_set for each in first.questions] == ["moving-objects", "camera-motion"]


def test_no_camera_takes_a_path_of_another_part() -> None:
    clips = [{clip.tobytes() for clip in make_stimuli(SAMPLES, SPEC, part).samples} for part in Part]
    assert all(len(each) == len(SAMPLES) for each in clips)
    assert all(not one & other for one, other in combinations(clips, 2))
