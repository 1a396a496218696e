# SPDX-License-Identifier: Apache-2.0
"""What the parity check of a sense is made on: the user's files, a labelled set, or made-up samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import ConfigError, InputError
from rvl_edge.media import read_sample
from rvl_edge.media.samples import AudioSample, DepthSample, ImageSample, Sample, ThermalSample
from rvl_edge.offline.datasets.loading import FOLDERS, load_part
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.trials import make_trial
from rvl_edge.offline.exporting.samples import model_input
from rvl_edge.preprocess import (
    AudioSpec,
    DepthSpec,
    ImageSpec,
    ThermalSpec,
    VideoSpec,
    preprocess_audio,
    preprocess_depth,
    preprocess_image,
    preprocess_thermal,
    preprocess_video,
)
from rvl_edge.preprocess.spec import PreprocessSpec
from rvl_edge.types import FloatArray, Modality

_FEWEST = 4


@dataclass(frozen=True, eq=False)
class Material:
    """Model inputs (N, ...), float32 or of text int64, and where they are from."""

    inputs: npt.NDArray[Any]
    source: str


def parity_material(
    spec: PreprocessSpec, count: int, folder: Path | None, random: np.random.Generator
) -> Material:
    """At most `count` samples, spread over what there is.

    Args:
        spec: how the sense's samples are prepared.
        count: samples wanted, at least 4.
        folder: holds a folder of files named as the sense, or its labelled set; None makes samples up.
        random: makes them up.

    Raises:
        ConfigError: no such folder, too few files, or one that is no sample of the sense.
    """
    modality = Modality(spec.kind)
    if folder is not None:
        if not folder.is_dir():
            raise ConfigError("the folder of samples is not there", got=folder)
        if (folder / modality).is_dir():
            return _from_files(folder / modality, modality, spec, count)
        if modality in FOLDERS and (folder / FOLDERS[modality]).is_dir():
            samples = load_part(modality, folder, Part.VALIDATION)
            chosen = samples.take(_spread(len(samples), count))
            return Material(
                make_trial(chosen, spec, Part.VALIDATION).inputs, f"{FOLDERS[modality]}, validation part"
            )
    return Material(np.stack([model_input(spec, random) for _ in range(count)]), "made up")


def _from_files(folder: Path, modality: Modality, spec: PreprocessSpec, count: int) -> Material:
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if len(paths) < _FEWEST:
        raise ConfigError(
            "too few samples for a comparison", got=len(paths), expected=f"{_FEWEST} in {folder}"
        )
    inputs = []
    for index in _spread(len(paths), count):
        path = paths[index]
        try:
            inputs.append(prepared_input(read_sample(path, modality), spec))
        except InputError as error:
            raise ConfigError(f"{path} is no {modality} sample", got=error, fix="take it out") from error
    return Material(np.stack(inputs), "files")


def prepared_input(sample: Sample, spec: PreprocessSpec) -> FloatArray:
    """One model input (C, ...) of a sample that was read as the sense of `spec`."""
    match sample, spec:
        case ImageSample(), ImageSpec():
            return preprocess_image(sample.rgb, spec)
        case ThermalSample(), ThermalSpec():
            return preprocess_thermal(sample.counts, spec)
        case DepthSample(), DepthSpec():
            return preprocess_depth(sample.depth, spec)
        case AudioSample(), AudioSpec():
            return preprocess_audio(sample.pcm, spec, sample_rate=sample.sample_rate)
    assert not isinstance(sample, (ImageSample, ThermalSample, DepthSample, AudioSample))
    assert isinstance(spec, VideoSpec)  # `read_sample` was asked for the sense of the spec
    return preprocess_video(sample.frames, spec, stamps=sample.stamps)


def _spread(count: int, wanted: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, wanted).astype(np.int64))
