# SPDX-License-Identifier: Apache-2.0
"""The samples of an evaluation, from the sensor to the domain that attackers work in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.loading import FOLDERS, load_part
from rvl_edge.offline.datasets.samples import Part, Samples
from rvl_edge.offline.evaluation.results import SampleSet
from rvl_edge.offline.evaluation.trials import Question, Stimuli, make_stimuli, prepare
from rvl_edge.offline.hardening.domains import Camera, Domain, Waveform, domain_of
from rvl_edge.preprocess.spec import AudioSpec, PreprocessSpec
from rvl_edge.types import Modality

_CHOICE_SEED = 0

Alter = Callable[[npt.NDArray[Any], int], npt.NDArray[Any]]
"""What a corruption makes of one sensor sample, given its place in the set."""

Place = Callable[[Sequence[npt.NDArray[Any]]], Tensor]
"""Sensor samples -> (B, ...) in [0, 1], in the domain."""


@dataclass(frozen=True, eq=False)
class Exam:
    """Labelled samples of one sense and one question about them.

    Attributes:
        modality: the sense.
        domain: where perturbations live.
        place: sensor samples -> the domain.
        stimuli: as the sensor gives them.
        question: what is asked.
        described: the same for the result.
    """

    modality: Modality
    domain: Domain
    place: Place
    stimuli: Stimuli
    question: Question
    described: SampleSet

    def __len__(self) -> int:
        return len(self.question.answers)

    def batch(self, rows: slice, alter: Alter | None = None) -> tuple[Tensor, Tensor]:
        """Some samples (B, ...) in [0, 1], in the domain, and their labels (B,) int64."""
        places = range(*rows.indices(len(self)))
        samples = [self.stimuli.samples[place] for place in places]
        if alter is not None:
            samples = [alter(sample, place) for sample, place in zip(samples, places, strict=True)]
        return self.place(samples), torch.from_numpy(self.question.answers[rows])


def set_exam(
    modality: Modality,
    spec: PreprocessSpec,
    data: Path,
    *,
    part: Part = Part.TEST,
    count: int | None = None,
    label_set: str | None = None,
    at_sensor: bool = False,
) -> Exam:
    """Choose the samples, the same ones for every encoder of the sense.

    Args:
        modality: the sense.
        spec: of the encoder under test.
        data: folder of the labelled sets.
        part: of the set.
        count: how many samples, drawn once and for all; None is all.
        label_set: which question; None is the sense's first.
        at_sensor: attackers work on the sensor's own samples (waveform, camera pixels) instead of next to the
            encoder.

    Raises:
        ConfigError: no such set or question.
    """
    samples = load_part(modality, data, part)
    if count is not None and count < len(samples):
        order = np.random.default_rng(_CHOICE_SEED).permutation(len(samples))
        samples = samples.take(np.sort(order[:count]))
    stimuli = make_stimuli(samples, spec, part)
    known = {each.label_set: each for each in stimuli.questions}
    if label_set is not None and label_set not in known:
        raise ConfigError(f"{modality} is not asked that", got=label_set, expected=", ".join(known))
    question = stimuli.questions[0] if label_set is None else known[label_set]
    domain, place = (_at_sensor if at_sensor else _at_encoder)(spec, stimuli.sample_rate)
    described = SampleSet(
        name=FOLDERS[modality],
        part=part.value,
        count=len(samples),
        sha256=_digest(stimuli, samples),
        simulated=modality is Modality.VIDEO,
        label_set=question.label_set,
        labels=question.labels,
        domain=domain.name,
    )
    return Exam(modality, domain, place, stimuli, question, described)


def _at_encoder(spec: PreprocessSpec, sample_rate: int) -> tuple[Domain, Place]:
    domain = domain_of(spec)
    return domain, lambda samples: domain.samples(torch.from_numpy(prepare(samples, sample_rate, spec)))


def _at_sensor(spec: PreprocessSpec, sample_rate: int) -> tuple[Domain, Place]:
    if isinstance(spec, AudioSpec):
        if sample_rate != spec.sample_rate:
            raise ConfigError(
                "sounds are attacked at the encoder's rate only", got=sample_rate, expected=spec.sample_rate
            )
        waveform = Waveform(spec)
        return waveform, lambda samples: waveform.samples(torch.from_numpy(np.stack(samples)))
    camera = Camera(spec)
    return camera, lambda samples: camera.samples(torch.from_numpy(_channels_first(np.stack(samples))))


def _channels_first(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(B, H, W), (B, H, W, 3) or clips (B, T, H, W, 3) -> (B, C, H, W) or (B, 3, T, H, W)."""
    if pictures.ndim == 3:
        return pictures[:, None]
    return np.ascontiguousarray(np.moveaxis(pictures, -1, 1))


def _digest(stimuli: Stimuli, samples: Samples) -> str:
    """Over what the sensor gave (of video the simulated clips, not their stills) and the set's labels."""
    digest = hashlib.sha256()
    for each in stimuli.samples:
        digest.update(np.ascontiguousarray(each).data)
    digest.update(np.ascontiguousarray(samples.labels).data)
    return digest.hexdigest()
