# SPDX-License-Identifier: Apache-2.0
"""This project's side: the same samples through `rvl_edge`, as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from reference_samples import Sample

from rvl_edge.offline.towers import Encoder, TextEncoder
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

FloatArray = npt.NDArray[np.float32]


def preprocess(sample: Sample, spec: Any) -> FloatArray:
    """One model input by the function of the spec's sense."""
    if isinstance(spec, ImageSpec):
        return preprocess_image(sample.data, spec)
    if isinstance(spec, ThermalSpec):
        return preprocess_thermal(sample.data, spec)
    if isinstance(spec, DepthSpec):
        return preprocess_depth(sample.data, spec)
    if isinstance(spec, VideoSpec):
        return preprocess_video(sample.data, spec)
    assert isinstance(spec, AudioSpec)
    return preprocess_audio(sample.data, spec, sample_rate=sample.sample_rate)


def embed(encoder: Encoder | TextEncoder, batch: npt.NDArray[Any]) -> FloatArray:
    """(B, D) embeddings of model inputs or of token ids."""
    with torch.inference_mode():
        return encoder.encode(torch.from_numpy(batch)).numpy()


def apart(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """The largest difference of two arrays of one shape."""
    assert a.shape == b.shape, (a.shape, b.shape)
    return float(np.abs(a.astype(np.float64) - b).max())
