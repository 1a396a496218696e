# SPDX-License-Identifier: Apache-2.0
"""A sample read from a file, perceived by its sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rvl_edge.media.samples import AudioSample, DepthSample, ImageSample, Sample, ThermalSample
from rvl_edge.types import Perception

if TYPE_CHECKING:
    from rvl_edge.perceiver import Perceiver


def perceive_sample(perceiver: Perceiver, sample: Sample, unit: str | None = None) -> Perception:
    """Perceive a sample.

    Args:
        perceiver: with the sample's sense in use.
        sample: as `read_sample` returns it.
        unit: what the numbers of a thermal or depth sample mean.

    Raises:
        ConfigError: the sense is not in use, or has no such unit.
        InputError: the sample cannot be used.
    """
    if isinstance(sample, ImageSample):
        return perceiver.image(sample.rgb)
    if isinstance(sample, ThermalSample):
        return perceiver.thermal(sample.counts, unit=unit)
    if isinstance(sample, DepthSample):
        return perceiver.depth(sample.depth, unit=unit)
    if isinstance(sample, AudioSample):
        return perceiver.audio(sample.pcm, sample_rate=sample.sample_rate)
    return perceiver.video(sample.frames, None if sample.stamps is None else sample.stamps.tolist())
