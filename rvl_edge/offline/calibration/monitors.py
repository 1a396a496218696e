# SPDX-License-Identifier: Apache-2.0
"""Fitting the monitors of a bundle in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rvl_edge.backends import DEFAULT_BACKEND
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.calibrating import write_monitors
from rvl_edge.bundle.calibration import MonitorEntry
from rvl_edge.bundle.revisions import REVISIONS
from rvl_edge.media import Sample
from rvl_edge.offline.calibration.confidence import find_material
from rvl_edge.offline.calibration.observing import measure, observe, reference_of, sentinel_of
from rvl_edge.offline.calibration.progress import Advance, quietly
from rvl_edge.offline.calibration.samples import (
    LabelledSamples,
    from_folder,
    from_set,
    is_label_folder,
    senses_to_calibrate,
)
from rvl_edge.offline.calibration.tails import Family, fit_family, granted_rate
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.perceiver import Perceiver
from rvl_edge.refine import ColaSettings
from rvl_edge.trust.features import CleanFeatures, EmbeddingDistance
from rvl_edge.trust.panel import embedding_monitors, sensor_monitors
from rvl_edge.types import Modality

_FEATURE_SAMPLES = 500  # for class means and 16 directions


@dataclass(frozen=True)
class FittedMonitors:
    """The monitors of one sense.

    Attributes:
        modality: the sense.
        family: their curves, and how often they warn.
        features: of clean samples.
        source: what the curves were fitted on, for people.
    """

    modality: Modality
    family: Family
    features: CleanFeatures
    source: str

    @property
    def entries(self) -> tuple[MonitorEntry, ...]:
        """As the bundle keeps them."""
        return tuple(
            MonitorEntry(
                name=name,
                revision=REVISIONS[name],
                samples=self.family.samples,
                false_alarm_rate=self.family.each,
                family_rate=self.family.rate,
                threshold=curve.threshold,
                curve=curve.points,
                usual=curve.usual,
                statistics=self.features.numbers() if name == EmbeddingDistance.name else {},
            )
            for name, curve in self.family.curves.items()
        )


def calibrate_monitors(
    path: Path,
    data: Path,
    *,
    modalities: Sequence[Modality] | None = None,
    rate: float = 0.01,
    most: int = 2000,
    backend: str = DEFAULT_BACKEND,
    advance: Advance | None = None,
) -> tuple[FittedMonitors, ...]:
    """Fit the monitors of a bundle's senses, and put them into the bundle once all are fitted.

    Class means come from the training part and thresholds from samples that the encoder was not trained on.
    Of a folder of the user's own samples, half of them go to each.

    Args:
        path: the bundle's folder.
        data: folder of the labelled sets, or of the user's own samples `<label>/<file>` of one sense.
        modalities: the senses; None is all that have a set, or what the own folder holds.
        rate: share of clean samples on which any monitor of the sense may warn.
        most: samples to fit thresholds on.
        backend: the runtime.
        advance: told of progress.

    Raises:
        ConfigError: no usable samples, or too few for any rate worth having.
        InputError: a file of the user's that cannot be used.
        BundleError: the bundle cannot be read or written.
        BackendError: a graph cannot be run.
    """
    bundle = Bundle.open(path)
    senses = senses_to_calibrate(bundle.manifest.senses, data, modalities)
    fitted = []
    with Perceiver(
        bundle.uncalibrated(), modalities=modalities, backend=backend, monitors=False
    ) as perceiver:
        for modality in senses:
            first, second = _halves(perceiver, modality, data, most)
            fitted.append(
                fit_monitors(perceiver, first, second, rate=rate, backend=backend, advance=advance or quietly)
            )
    write_monitors(path, {each.modality: each.entries for each in fitted})
    return tuple(fitted)


def fit_monitors(
    perceiver: Perceiver,
    for_features: LabelledSamples,
    for_tails: LabelledSamples,
    *,
    rate: float,
    backend: str,
    advance: Advance,
) -> FittedMonitors:
    """Fit the monitors of one sense.

    Args:
        perceiver: whose labels are still those that its bundle opens with.
        for_features: clean samples of known classes.
        for_tails: others, which the encoder was not trained on.
        rate: share of clean samples on which any monitor may warn.
        backend: the runtime of a sentinel.
        advance: told of progress.

    Raises:
        ConfigError: too few samples for any rate worth having; none was encoded.
    """
    granted_rate(len(for_tails), rate)
    modality = for_tails.modality
    task = f"{modality} features"
    embeddings = [
        seen.embedding for seen in observe(perceiver, modality, _counted(for_features, task, advance))
    ]
    features = CleanFeatures.fit(np.stack(embeddings), for_features.questions[0].answers)
    monitors = (
        *sensor_monitors(modality),
        *embedding_monitors(reference_of(perceiver, modality), features),
    )
    sentinel = sentinel_of(perceiver, modality, backend)
    seen = observe(
        perceiver,
        modality,
        _counted(for_tails, f"{modality} thresholds", advance),
        views=ColaSettings().views,
        sentinel=sentinel,
    )
    family = fit_family(measure(monitors, seen), rate)
    return FittedMonitors(modality, family, features, for_tails.source)


def _halves(
    perceiver: Perceiver, modality: Modality | None, data: Path, most: int
) -> tuple[LabelledSamples, LabelledSamples]:
    """Samples for features, and others for thresholds."""
    if is_label_folder(data):
        samples = from_folder(data, modality, _FEATURE_SAMPLES + most)
        perceiver.bundle.manifest.check_senses([samples.modality])
        middle = min(_FEATURE_SAMPLES, len(samples) // 2)
        return _part(samples, slice(middle)), _part(samples, slice(middle, None))
    thresholds = find_material(perceiver, modality, data, most).fitting
    spec = perceiver.bundle.manifest.senses[thresholds.modality].preprocess
    return from_set(thresholds.modality, spec, data, Part.TRAIN, _FEATURE_SAMPLES), thresholds


def _part(samples: LabelledSamples, rows: slice) -> LabelledSamples:
    questions = tuple(replace(each, answers=each.answers[rows]) for each in samples.questions)
    return replace(samples, samples=samples.samples[rows], questions=questions)


def _counted(samples: LabelledSamples, task: str, advance: Advance) -> Iterator[Sample]:
    for done, sample in enumerate(samples.samples, 1):
        yield sample
        advance(task, done, len(samples))
