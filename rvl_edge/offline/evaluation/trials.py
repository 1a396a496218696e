# SPDX-License-Identifier: Apache-2.0
"""Labelled samples of each sense, prepared as the robot prepares them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.camera_motion import MOTIONS, simulate_motion
from rvl_edge.offline.datasets.samples import Samples
from rvl_edge.preprocess import preprocess_audio, preprocess_image, preprocess_thermal, preprocess_video
from rvl_edge.preprocess.spec import AudioSpec, DepthSpec, ImageSpec, PreprocessSpec, ThermalSpec, VideoSpec
from rvl_edge.types import FloatArray

_CLIPS_AT_A_TIME = 256
_CLIP_SEED = 0


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


def make_trial(samples: Samples, spec: PreprocessSpec) -> Trial:
    """Prepare samples for the sense of `spec`; stills become simulated clips for video."""
    data = samples.data
    if isinstance(spec, ImageSpec):
        inputs = _stack(lambda picture: preprocess_image(picture, spec), data)
        return Trial(inputs, (Question("objects", samples.classes, samples.labels),))
    if isinstance(spec, ThermalSpec):
        inputs = _stack(lambda chip: preprocess_thermal(chip, spec), data)
        return Trial(inputs, (Question("thermal-objects", samples.classes, samples.labels),))
    if isinstance(spec, AudioSpec):
        inputs = _stack(lambda clip: preprocess_audio(clip, spec, sample_rate=samples.sample_rate), data)
        return Trial(inputs, (Question("sounds", samples.classes, samples.labels),))
    if isinstance(spec, DepthSpec):
        raise ConfigError("there is no labelled set of depth pictures", fix="evaluate the other senses")
    motions = np.arange(len(samples)) % len(MOTIONS)
    inputs = _stack(lambda clip: preprocess_video(clip, spec), _clips(samples, motions, spec))
    objects = Question("moving-objects", samples.classes, samples.labels)
    return Trial(inputs, (objects, Question("camera-motion", MOTIONS, motions)))


def _stack(
    preprocess: Callable[[npt.NDArray[Any]], FloatArray], data: Iterable[npt.NDArray[Any]]
) -> FloatArray:
    return np.stack([preprocess(sample) for sample in data])


def _clips(
    samples: Samples, motions: npt.NDArray[np.int64], spec: VideoSpec
) -> Iterable[npt.NDArray[np.uint8]]:
    """Clips (T, S, S, 3) uint8, the same ones every time."""
    stills = torch.from_numpy(samples.data).permute(0, 3, 1, 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_CLIP_SEED)
        for start in range(0, len(samples), _CLIPS_AT_A_TIME):
            part = slice(start, start + _CLIPS_AT_A_TIME)
            film = simulate_motion(
                stills[part].float() / 255,
                torch.from_numpy(motions[part]),
                frames=spec.num_frames,
                size=stills.shape[-1],
            )
            yield from (film * 255).round().byte().permute(0, 2, 3, 4, 1).numpy()
