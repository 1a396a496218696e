# SPDX-License-Identifier: Apache-2.0
"""What monitors say of samples, taken on the robot's own path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge._encoder import GraphEncoder
from rvl_edge.media import AudioSample, DepthSample, ImageSample, Sample, ThermalSample
from rvl_edge.offline.evaluation.trials import prepare
from rvl_edge.perceiver import Perceiver
from rvl_edge.refine import frame_seed, make_views
from rvl_edge.trust.monitor import Monitor, Observation
from rvl_edge.trust.panel import Reference
from rvl_edge.types import Modality


def reference_of(perceiver: Perceiver, modality: Modality) -> Reference:
    """What a sense's embeddings are held against.

    Args:
        perceiver: whose labels are still those that its bundle opens with.
        modality: the sense.
    """
    anchors = perceiver.anchors(modality)
    scale = perceiver.bundle.manifest.senses[modality].logit_scale
    return Reference(anchors.prompts, anchors.matrix, scale)


def sentinel_of(perceiver: Perceiver, modality: Modality, backend: str) -> GraphEncoder | None:
    """The plain encoder of a sense, if its bundle has one."""
    sense = perceiver.bundle.manifest.senses[modality]
    if sense.sentinel is None:
        return None
    return GraphEncoder(perceiver.bundle, sense.sentinel, sense.input_shape, None, backend)


def observe(
    perceiver: Perceiver,
    modality: Modality,
    samples: Iterable[Sample],
    *,
    views: int = 1,
    sentinel: GraphEncoder | None = None,
) -> Iterator[Observation]:
    """Look at samples as a perception would.

    Args:
        perceiver: with the sense in use.
        modality: the sense.
        samples: of it.
        views: how many COLA makes; 1 is none.
        sentinel: the plain encoder.

    Raises:
        InputError: a sample that cannot be used.
    """
    spec = perceiver.bundle.manifest.senses[modality].preprocess
    for sample in samples:
        raw, rate = raw_of(sample)
        (inputs,) = prepare([raw], rate, spec)
        embeddings = perceiver.encode_batch(modality, make_views(inputs, modality, views, frame_seed(inputs)))
        yield Observation(
            raw,
            inputs,
            spec,
            embeddings[0],
            views=embeddings if views > 1 else None,
            sentinel=None if sentinel is None else sentinel.encode(inputs[None])[0],
        )


def measure(
    monitors: Sequence[Monitor], observations: Iterable[Observation]
) -> dict[str, npt.NDArray[np.float64]]:
    """Statistics (N,) of every monitor that has something to measure and is no rule, by its name."""
    found: dict[str, list[float]] = {}
    for seen in observations:
        for monitor in monitors:
            value = monitor.statistic(seen) if monitor.rule is None else None
            if value is not None:
                found.setdefault(monitor.name, []).append(value)
    return {name: np.array(values) for name, values in found.items()}


def raw_of(sample: Sample) -> tuple[npt.NDArray[Any], int]:
    """What the sensor sent, and the rate of a sound in Hz (0 otherwise)."""
    if isinstance(sample, ImageSample):
        return sample.rgb, 0
    if isinstance(sample, ThermalSample):
        return sample.counts, 0
    if isinstance(sample, DepthSample):
        return sample.depth, 0
    if isinstance(sample, AudioSample):
        return sample.pcm, sample.sample_rate
    return sample.frames, 0
