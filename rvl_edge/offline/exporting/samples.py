# SPDX-License-Identifier: Apache-2.0
"""Made-up sensor samples for the parity check, through the same preprocessing as real ones."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.preprocess import (
    AudioSpec,
    DepthSpec,
    ImageSpec,
    ThermalSpec,
    preprocess_audio,
    preprocess_depth,
    preprocess_image,
    preprocess_thermal,
    preprocess_video,
)
from rvl_edge.preprocess.spec import PreprocessSpec
from rvl_edge.types import FloatArray


def model_input(spec: PreprocessSpec, random: np.random.Generator) -> FloatArray:
    """One model input (C, ...) of the kind and shape that `spec` says.

    Pictures are noise of a random coarseness, sounds are coloured noise: structure at every scale, so that
    no part of an encoder is left idle as white noise would leave it.
    """
    if isinstance(spec, AudioSpec):
        return preprocess_audio(_sound(random, spec.sample_rate), spec, sample_rate=spec.sample_rate)
    if isinstance(spec, ImageSpec):
        return preprocess_image(_picture(random), spec)
    if isinstance(spec, ThermalSpec):
        return preprocess_thermal(_picture(random)[..., 0], spec)
    if isinstance(spec, DepthSpec):
        near = random.uniform(0.2, 2)
        return preprocess_depth(near + _picture(random)[..., 0].astype(np.float32) / 64, spec)
    return preprocess_video(np.stack([_picture(random) for _ in range(spec.num_frames)]), spec)


def _picture(random: np.random.Generator) -> npt.NDArray[np.uint8]:
    side = int(random.integers(2, 96))
    coarse = random.integers(0, 256, (side, side, 3), np.uint8)
    picture: npt.NDArray[np.uint8] = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_LINEAR)
    return picture


def _sound(random: np.random.Generator, rate: int) -> FloatArray:
    spectrum = np.fft.rfft(random.normal(size=3 * rate))
    tilt = np.arange(1, len(spectrum) + 1) ** -random.uniform(0, 1)
    wave = np.fft.irfft(spectrum * tilt)
    sound: FloatArray = (0.5 * wave / np.abs(wave).max()).astype(np.float32)
    return sound
