# SPDX-License-Identifier: Apache-2.0
"""The label sets of `calibration/labels` as a bundle carries them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rvl_edge.bundle.manifest import LabelSet
from rvl_edge.offline.datasets.labels import LabelSetFile
from rvl_edge.types import Modality


def bundled_label_sets(sets: Mapping[str, LabelSetFile], senses: Collection[Modality]) -> dict[str, LabelSet]:
    """Label sets that some of the senses were trained on."""
    found = {name: tuple(each for each in own.modalities if each in senses) for name, own in sets.items()}
    return {
        name: LabelSet(
            labels=sets[name].labels,
            modalities=modalities,
            simulated=sets[name].simulated,
            synonyms={label: others for label, others in sets[name].concepts.items() if others},
        )
        for name, modalities in found.items()
        if modalities
    }


def trained_phrases(
    sets: Mapping[str, LabelSetFile], senses: Collection[Modality]
) -> dict[str, tuple[Modality, ...]]:
    """Every label and synonym, with those of the senses that were trained on it."""
    phrases: dict[str, set[Modality]] = {}
    for own in sets.values():
        for label, synonyms in own.concepts.items():
            for phrase in (label, *synonyms):
                phrases.setdefault(phrase, set()).update(own.modalities)
    trained = {
        phrase: tuple(each for each in Modality if each in known and each in senses)
        for phrase, known in phrases.items()
    }
    return {phrase: known for phrase, known in sorted(trained.items()) if known}
