# SPDX-License-Identifier: Apache-2.0
"""Labelled samples of each sense, prepared as the robot prepares them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rvl_edge.offline.datasets.camera_motion import MOTIONS, simulate_motion
from rvl_edge.offline.datasets.loading import no_labelled_set
from rvl_edge.offline.datasets.samples import Part, Samples
from rvl_edge.preprocess import (
    preprocess_audio,
    preprocess_depth,
    preprocess_image,
    preprocess_thermal,
    preprocess_video,
)
from rvl_edge.preprocess.spec import AudioSpec, DepthSpec, ImageSpec, PreprocessSpec, ThermalSpec, VideoSpec
from rvl_edge.types import FloatArray, Modality

_CLIPS_AT_A_TIME = 256
# Cameras of one part move along paths that those of another part never took.
_CLIP_SEEDS = {Part.TEST: 0, Part.VALIDATION: 1, Part.TRAIN: 2}
_LABEL_SETS: dict[type[PreprocessSpec], str] = {
    ImageSpec: "objects",
    ThermalSpec: "thermal-objects",
    AudioSpec: "sounds",
    VideoSpec: "moving-objects",
}


@dataclass(frozen=True, eq=False)
class Question:
    """Which of these labels is it?

    Attributes:
        label_set: its name in `calibration/labels`.
        labels: what is to choose from.
        answers: (N,) int64, index into `labels`.
    """

    label_set: str
    labels: tuple[str, ...]
    answers: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trial:
    """Samples of one sense and what is asked about them.

    Attributes:
        inputs: (N, ...) float32, as the encoder takes them.
        questions: each about all samples.
    """

    inputs: FloatArray
    questions: tuple[Question, ...]


@dataclass(frozen=True, eq=False)
class Stimuli:
    """Samples as a sensor gives them, and what is asked about them.

    Attributes:
        samples: N pictures, chips, sounds or clips (T, H, W, 3).
        sample_rate: Hz, of sounds; 0 otherwise.
        questions: each about all samples.
    """

    samples: Sequence[npt.NDArray[Any]]
    sample_rate: int
    questions: tuple[Question, ...]


def make_trial(samples: Samples, spec: PreprocessSpec, part: Part) -> Trial:
    """Prepare samples for the sense of `spec`; stills become simulated clips for video."""
    stimuli = make_stimuli(samples, spec, part)
    return Trial(prepare(stimuli.samples, stimuli.sample_rate, spec), stimuli.questions)


def make_stimuli(samples: Samples, spec: PreprocessSpec, part: Part) -> Stimuli:
    """What the sensor of `spec` would give, with the questions of its sense.

    Args:
        samples: of the labelled set; stills for video.
        spec: of the sense.
        part: of the set, that the samples are from; each has clips of its own.

    Raises:
        ConfigError: there is no labelled set of the sense.
    """
    if isinstance(spec, DepthSpec):
        raise no_labelled_set(Modality.DEPTH)
    data: Sequence[npt.NDArray[Any]] = list(samples.data)
    questions = [Question(_LABEL_SETS[type(spec)], samples.classes, samples.labels)]
    if isinstance(spec, VideoSpec):
        motions = np.arange(len(samples)) % len(MOTIONS)
        data = list(_clips(samples, motions, spec, _CLIP_SEEDS[part]))
        questions.append(Question("camera-motion", MOTIONS, motions))
    return Stimuli(data, samples.sample_rate, tuple(questions))


def prepare(samples: Iterable[npt.NDArray[Any]], sample_rate: int, spec: PreprocessSpec) -> FloatArray:
    """What a sensor gave -> (N, ...) float32, as the encoder takes it."""
    return np.stack([_preprocess(sample, sample_rate, spec) for sample in samples])


def _preprocess(sample: npt.NDArray[Any], sample_rate: int, spec: PreprocessSpec) -> FloatArray:
    if isinstance(spec, ImageSpec):
        return preprocess_image(sample, spec)
    if isinstance(spec, ThermalSpec):
        return preprocess_thermal(sample, spec)
    if isinstance(spec, AudioSpec):
        return preprocess_audio(sample, spec, sample_rate=sample_rate)
    if isinstance(spec, DepthSpec):
        return preprocess_depth(sample, spec)
    return preprocess_video(sample, spec)


def _clips(
    samples: Samples, motions: npt.NDArray[np.int64], spec: VideoSpec, seed: int
) -> Iterable[npt.NDArray[np.uint8]]:
    """Clips (T, S, S, 3) uint8, the same ones every time."""
    stills = torch.from_numpy(samples.data).permute(0, 3, 1, 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for start in range(0, len(samples), _CLIPS_AT_A_TIME):
            part = slice(start, start + _CLIPS_AT_A_TIME)
            film = simulate_motion(
                stills[part].float() / 255,
                torch.from_numpy(motions[part]),
                frames=spec.num_frames,
                size=stills.shape[-1],
            )
            yield from (film * 255).round().byte().permute(0, 2, 3, 4, 1).numpy()
