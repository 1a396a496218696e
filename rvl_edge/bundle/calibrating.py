# SPDX-License-Identifier: Apache-2.0
"""Putting what was fitted into a bundle that is in its place: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rvl_edge.bundle.calibration import (
    CALIBRATION_NAME,
    Calibration,
    ConfidenceEntry,
    MonitorEntry,
    SenseCalibration,
    fingerprint,
)
from rvl_edge.bundle.opening import Bundle
from rvl_edge.bundle.writing import amend_bundle
from rvl_edge.types import Modality


def write_confidence(path: Path, fitted: Mapping[Modality, Sequence[ConfidenceEntry]]) -> None:
    """Put confidence entries into a bundle's calibration.

    An entry takes the place of the one for the same labels, templates and ranking; the others stay, as do
    monitors. What is stale goes.

    Args:
        path: the bundle's folder.
        fitted: entries by sense, fitted on this bundle.

    Raises:
        ConfigError: the bundle lacks a sense.
        BundleError: `path` is no sound bundle, or cannot be written.
    """

    def put(old: SenseCalibration, modality: Modality) -> SenseCalibration:
        new = tuple(fitted[modality])
        kept = [
            each
            for each in old.confidence
            if not any(other.holds_for(each.labels, each.templates, each.ranking) for other in new)
        ]
        return old.model_copy(update={"confidence": (*kept, *new)})

    _change(path, fitted, put)


def write_monitors(path: Path, fitted: Mapping[Modality, Sequence[MonitorEntry]]) -> None:
    """Put all monitors of some senses into a bundle's calibration, in place of those it has; as above."""

    def put(old: SenseCalibration, modality: Modality) -> SenseCalibration:
        return old.model_copy(update={"monitors": tuple(fitted[modality])})

    _change(path, fitted, put)


def _change(
    path: Path,
    senses: Mapping[Modality, object],
    put: Callable[[SenseCalibration, Modality], SenseCalibration],
) -> None:
    bundle = Bundle.open(path)
    manifest = bundle.manifest
    manifest.check_senses(senses)
    known = {} if bundle.calibration is None else bundle.calibration.senses
    changed = {}
    for modality in senses:
        current = fingerprint(manifest, modality)
        old = known.get(modality)
        kept = SenseCalibration(fitted_on=current) if old is None else old.kept(current)
        changed[modality] = put(kept, modality)
    content = Calibration(senses={**known, **changed}).model_dump_json(indent=1).encode() + b"\n"
    name = CALIBRATION_NAME if manifest.calibration is None else manifest.calibration.path
    amend_bundle(
        bundle,
        {name: content},
        lambda files: manifest.model_copy(update={"calibration": files[name]}),
    )
