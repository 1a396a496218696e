# SPDX-License-Identifier: Apache-2.0
"""What monitors and rankings say of one sample of each sense, held to what they said when this was written.

Where a number here changes on purpose: raise its revision in rvl_edge/bundle/revisions.py, and put the new
revision and number into RECORDED. Calibrations that were fitted on the old number are then stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rvl_edge.bundle.revisions import REVISIONS
from rvl_edge.perceiver import Perceiver
from rvl_edge.preprocess import preprocess_audio, preprocess_image, preprocess_thermal, preprocess_video
from rvl_edge.refine import frame_seed, make_views
from rvl_edge.trust.features import CleanFeatures
from rvl_edge.trust.monitor import Observation
from rvl_edge.trust.panel import Reference, embedding_monitors, sensor_monitors
from rvl_edge.types import FloatArray, Modality, Perception

RECORDED: dict[str, tuple[int, float]] = {
    "image clipped": (1, 0.00086806),
    "image exposure": (1, 0.024203),
    "image contrast": (1, 3.2265),
    "image blur": (1, 0.16903),
    "image noise": (1, -6.9428),
    "image embedding-distance": (1, 4.5046),
    "image subspace-energy": (1, 0.74037),
    "image view-disagreement": (1, 0.027011),
    "image sentinel": (1, 0.81438),
    "image plain": (1, -6.3399),
    "image cola": (1, -16.971),
    "video clipped": (1, 0.00021701),
    "video exposure": (1, 0.016204),
    "video contrast": (1, 3.3352),
    "video blur": (1, 0.21323),
    "video noise": (1, -7.0216),
    "video embedding-distance": (1, 4.3762),
    "video subspace-energy": (1, 0.76292),
    "video view-disagreement": (1, 0.0084338),
    "video sentinel": (1, 0.77621),
    "video plain": (1, -4.2146),
    "video cola": (1, -12.157),
    "thermal dead-pixels": (1, -9.2103),
    "thermal stuck-lines": (1, 0.087347),
    "thermal saturated": (1, 0.00065104),
    "thermal exposure": (1, 0.069775),
    "thermal contrast": (1, 1.5947),
    "thermal blur": (1, 1.3064),
    "thermal noise": (1, -5.7686),
    "thermal embedding-distance": (1, 4.004),
    "thermal subspace-energy": (1, 0.9669),
    "thermal view-disagreement": (1, 0.058057),
    "thermal sentinel": (1, 0.13304),
    "thermal plain": (1, -1.8822),
    "thermal cola": (1, -7.0002),
    "audio level": (1, 13.785),
    "audio clipping": (1, -9.6803),
    "audio drop-outs": (1, -4.9268),
    "audio direct-current": (1, -5.1343),
    "audio hiss": (1, -2.0517),
    "audio embedding-distance": (1, 4.4648),
    "audio subspace-energy": (1, 0.88665),
    "audio view-disagreement": (1, 0.026118),
    "audio sentinel": (1, 0.046652),
    "audio plain": (1, -4.1773),
    "audio cola": (1, -16.172),
}


def _smooth(random: np.random.Generator, *shape: int) -> npt.NDArray[np.float64]:
    """Noise that is summed up along two axes, in [0, 1]."""
    walk = random.normal(size=shape).cumsum(axis=-2).cumsum(axis=-1)
    return np.asarray((walk - walk.min()) / np.ptp(walk))


def samples() -> Mapping[Modality, npt.NDArray[Any]]:
    random = np.random.default_rng(0)
    picture = np.moveaxis(_smooth(random, 3, 48, 64), 0, -1)
    frames = np.stack([np.roll(picture, 2 * step, axis=1) for step in range(4)])
    sound = np.sin(np.arange(16_000) / 9) * np.linspace(0, 0.5, 16_000) + 0.01 * random.normal(size=16_000)
    sound[4000:4100] = sound[4000]
    return {
        Modality.IMAGE: np.asarray(270 * picture - 10).clip(0, 255).astype(np.uint8),
        Modality.VIDEO: np.asarray(255 * frames).astype(np.uint8),
        Modality.THERMAL: np.asarray(3000 * _smooth(random, 48, 64) + 29_000).astype(np.uint16),
        Modality.AUDIO: sound.astype(np.float32),
    }


def look(perceiver: Perceiver, modality: Modality, sample: npt.NDArray[Any]) -> Perception:
    if modality is Modality.AUDIO:
        return perceiver.audio(sample, sample_rate=16_000)
    return {
        Modality.IMAGE: perceiver.image,
        Modality.VIDEO: perceiver.video,
        Modality.THERMAL: perceiver.thermal,
    }[modality](sample)


def inputs_of(modality: Modality, sample: npt.NDArray[Any], spec: Any) -> FloatArray:
    if modality is Modality.AUDIO:
        return preprocess_audio(sample, spec, sample_rate=16_000)
    return {
        Modality.IMAGE: preprocess_image,
        Modality.VIDEO: preprocess_video,
        Modality.THERMAL: preprocess_thermal,
    }[modality](sample, spec)


def numbers(perceiver: Perceiver) -> Iterator[tuple[str, str, float]]:
    """Sense, monitor or ranking, and its number for the sense's sample."""
    for modality, sample in samples().items():
        sense = perceiver.bundle.manifest.senses[modality]
        inputs = inputs_of(modality, sample, sense.preprocess)
        views = perceiver.encode_batch(modality, make_views(inputs, modality, 5, frame_seed(inputs)))
        anchors = perceiver.anchors(modality)
        noise = 0.3 * np.random.default_rng(1).normal(size=(60, views.shape[1])).astype(np.float32)
        features = CleanFeatures.fit(noise, np.arange(60) % 3)
        plain = noise[0] / np.linalg.norm(noise[0])
        reference = Reference(anchors.prompts, anchors.matrix, sense.logit_scale)
        seen = Observation(sample, inputs, sense.preprocess, views[0], views=views, sentinel=plain)
        for monitor in (*sensor_monitors(modality), *embedding_monitors(reference, features)):
            value = monitor.statistic(seen)
            if monitor.rule is None and value is not None:
                yield modality.value, monitor.name, value
        for ranking in ("plain", "cola"):
            perceiver.set_cola(ranking == "cola")
            yield modality.value, ranking, log(look(perceiver, modality, sample).labels[-1].probability)


def test_every_number_is_what_it_was_or_has_another_revision(tiny_bundle: Path) -> None:
    with Perceiver.open(tiny_bundle, monitors=False) as perceiver:
        found = list(numbers(perceiver))
    assert {name for _, name, _ in found} == set(REVISIONS)
    now = {f"{sense} {name}": (REVISIONS[name], value) for sense, name, value in found}
    assert now == {
        key: (revision, pytest.approx(value, rel=5e-3, abs=1e-4))
        for key, (revision, value) in RECORDED.items()
    }, "raise the revision of what changed, and record both"
