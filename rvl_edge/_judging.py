# SPDX-License-Identifier: Apache-2.0
"""Which calibration holds for the labels and the ranking in force."""

from __future__ import annotations

from collections.abc import Iterable

from rvl_edge._refiner import Refiner
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.calibration import PLAIN, ConfidenceEntry
from rvl_edge.text import Anchors
from rvl_edge.types import Modality


class Judge:
    """Confidence entries by sense, looked up once a label set and ranking.

    Calls may come from any thread.

    Args:
        bundle: with its calibration, if it has one.
        modalities: the senses in use.

    Raises:
        CalibrationStale: that of one of them was fitted on other graphs.
        BundleError: the file cannot be read.
    """

    def __init__(self, bundle: Bundle, modalities: Iterable[Modality]) -> None:
        file = bundle.calibration
        self._senses = {each: None if file is None else file.of(bundle.manifest, each) for each in modalities}
        self._scales = {each: bundle.manifest.senses[each].logit_scale for each in self._senses}
        self._found: dict[tuple[Modality, bool], tuple[Anchors, Refiner | None, ConfidenceEntry | None]] = {}

    def entry(self, modality: Modality, anchors: Anchors, refiner: Refiner | None) -> ConfidenceEntry | None:
        """The entry that was fitted for these labels and templates under this ranking, if there is one."""
        place = modality, refiner is None  # behind a gate the two rankings alternate
        known = self._found.get(place)
        if known is not None and known[0] is anchors and known[1] is refiner:
            return known[2]
        sense = self._senses[modality]
        ranking = self.ranking(modality, anchors, refiner)
        found = None if sense is None else sense.confidence_for(anchors.labels, anchors.templates, ranking)
        self._found[place] = (anchors, refiner, found)
        return found

    def sharpness(self, modality: Modality, fitted: ConfidenceEntry | None) -> float:
        """What multiplies scores before the softmax."""
        return self._scales[modality] / (1.0 if fitted is None else fitted.temperature)

    def ranking(self, modality: Modality, anchors: Anchors, refiner: Refiner | None) -> str:
        """How labels are ranked, as `ConfidenceEntry.ranking` names it."""
        return PLAIN if refiner is None else refiner.ranking(modality, anchors)
