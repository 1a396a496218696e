# SPDX-License-Identifier: Apache-2.0
"""What broken sensors send, beyond the corruptions that accuracy is measured under."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.types import Modality

Raw = npt.NDArray[Any]
Fault = Callable[[Raw, np.random.Generator], Raw]


def black(sample: Raw, random: np.random.Generator) -> Raw:
    """Nothing but the noise of the sensor, two levels of 255."""
    noise = np.abs(random.normal(0, 2, sample.shape))
    return np.asarray(noise, np.uint8)


def covered(sample: Raw, random: np.random.Generator) -> Raw:
    """A finger or dirt on the lens: no detail, a tenth of the light, noise of two levels."""
    frames = sample if sample.ndim == 4 else sample[None]
    smooth = np.stack([cv2.blur(frame, (31, 31), borderType=cv2.BORDER_REFLECT) for frame in frames])
    found = smooth.reshape(sample.shape) / 10 + random.normal(0, 2, sample.shape)
    return np.asarray(np.clip(np.round(found), 0, 255), np.uint8)


def blinded(sample: Raw, random: np.random.Generator) -> Raw:
    """A lamp or the sun: four times the light."""
    del random
    return np.asarray(np.minimum(sample.astype(np.uint16) * 4, 255), np.uint8)


def half_frame(sample: Raw, random: np.random.Generator) -> Raw:
    """A transfer that broke off: the lower half is green, as zeros in YUV are."""
    del random
    torn: Raw = sample.copy()
    rows = slice(sample.shape[-3] // 2, None)
    torn[..., rows, :, :] = (0, 135, 0)
    return torn


def stuck_column(sample: Raw, random: np.random.Generator) -> Raw:
    """One column of a thermal picture that always says hot."""
    stuck: Raw = sample.copy()
    stuck[:, random.integers(sample.shape[1])] = 255
    return stuck


def shutter(sample: Raw, random: np.random.Generator) -> Raw:
    """A thermal camera's closed shutter: one temperature, and noise of a level."""
    return np.asarray(np.clip(np.median(sample) + random.normal(0, 1, sample.shape), 0, 255), np.uint8)


def muted(sample: Raw, random: np.random.Generator) -> Raw:
    """A microphone without signal: noise at 85 dB below full scale."""
    return np.asarray(random.normal(0, 10 ** (-85 / 20), sample.shape), np.float32)


def offset(sample: Raw, random: np.random.Generator) -> Raw:
    """Direct current of a tenth of full scale."""
    del random
    return np.asarray(sample + np.float32(0.1), np.float32)


def overdriven(sample: Raw, random: np.random.Generator) -> Raw:
    """Gain until a tenth of the samples are cut off."""
    del random
    limit = max(float(np.quantile(np.abs(sample), 0.9)), 1e-6)
    return np.asarray(np.clip(sample / np.float32(limit), -1, 1), np.float32)


def gaps(sample: Raw, random: np.random.Generator) -> Raw:
    """An overrun link: a fifth of the packets of 20 ms are zeros."""
    torn: Raw = sample.copy()
    length = 320
    for start in np.flatnonzero(random.random(len(sample) // length) < 0.2) * length:
        torn[start : start + length] = 0
    return torn


_CAMERA: Mapping[str, Fault] = {each.__name__: each for each in (black, covered, blinded, half_frame)}
FAULTS: Mapping[Modality, Mapping[str, Fault]] = {
    Modality.IMAGE: _CAMERA,
    Modality.VIDEO: _CAMERA,
    Modality.THERMAL: {each.__name__: each for each in (shutter, stuck_column)},
    Modality.AUDIO: {each.__name__: each for each in (muted, offset, overdriven, gaps)},
}
"""By sense and name: a sample as the sensor sends it and a generator -> the sample of a broken one."""
