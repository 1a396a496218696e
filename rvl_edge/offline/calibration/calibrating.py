# SPDX-License-Identifier: Apache-2.0
"""Calibrating the confidence of a bundle in its place."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from rvl_edge.backends import DEFAULT_BACKEND
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.calibrating import write_confidence
from rvl_edge.bundle.calibration import ConfidenceEntry
from rvl_edge.offline.calibration.confidence import Outcome, calibrate_confidence, find_material
from rvl_edge.offline.calibration.progress import Advance, quietly
from rvl_edge.offline.calibration.samples import senses_to_calibrate
from rvl_edge.perceiver import Perceiver
from rvl_edge.text import UntrainedLabelWarning
from rvl_edge.types import Modality


def calibrate_bundle(
    path: Path,
    data: Path,
    *,
    modalities: Sequence[Modality] | None = None,
    alpha: float = 0.05,
    most: int = 1000,
    cola: bool = False,
    backend: str = DEFAULT_BACKEND,
    advance: Advance | None = None,
) -> tuple[Outcome, ...]:
    """Fit the confidence of a bundle's senses, and put it into the bundle once all are fitted.

    Args:
        path: the bundle's folder.
        data: folder of the labelled sets, or of the user's own samples `<label>/<file>` of one sense.
        modalities: the senses; None is all that have a set, or what the own folder holds.
        alpha: share of samples that may be missed.
        most: samples to use of each part.
        cola: fit COLA's ranking, by its default settings, beside the plain one.
        backend: the runtime.
        advance: told of progress.

    Raises:
        ConfigError: a sense that the bundle lacks, no usable samples, or too few for `alpha`.
        InputError: a file of the user's that cannot be used.
        BundleError: the bundle cannot be read or written.
        BackendError: a graph cannot be run.
    """
    bundle = Bundle.open(path)
    senses = senses_to_calibrate(bundle.manifest.senses, data, modalities)
    outcomes: list[Outcome] = []
    uncalibrated = Perceiver(bundle.uncalibrated(), modalities=modalities, monitors=False, backend=backend)
    with warnings.catch_warnings(), uncalibrated as perceiver:
        warnings.simplefilter("ignore", UntrainedLabelWarning)  # what they are worth is being measured
        for modality in senses:
            material = find_material(perceiver, modality, data, most, strangers=True)
            for refined in (False, True) if cola else (False,):
                perceiver.set_cola(refined)
                outcomes += calibrate_confidence(perceiver, material, alpha, advance or quietly)
    fitted: dict[Modality, list[ConfidenceEntry]] = {}
    for each in outcomes:
        fitted.setdefault(each.modality, []).append(each.entry)
    write_confidence(path, fitted)
    return tuple(outcomes)
