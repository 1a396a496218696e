# SPDX-License-Identifier: Apache-2.0
"""A bundle's calibration inside Perceiver, over a random bundle, against its numbers applied by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import LABELS

import rvl_edge as rvl
from rvl_edge.bundle.calibrating import write_confidence
from rvl_edge.bundle.calibration import ConfidenceEntry
from rvl_edge.bundle.manifest import Manifest
from rvl_edge.errors import CalibrationStale
from rvl_edge.types import UNKNOWN, Spent

PICTURE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)
SCALE = 20.0
TEMPLATES = ("a photo of a {}", "one {} seen by a robot")


def entry(
    temperature: float,
    unknown_below: float = 0.0,
    plausible_from: float = 1.0,
    *,
    labels: Sequence[str] = LABELS["objects"],
    ranking: str = "plain",
) -> ConfidenceEntry:
    return ConfidenceEntry(
        label_set="objects",
        labels=tuple(labels),
        templates=TEMPLATES,
        ranking=ranking,
        temperature=temperature,
        alpha=0.1,
        unknown_below=unknown_below,
        plausible_from=plausible_from,
        samples=99,
    )


def calibrated(path: Path, *entries: ConfidenceEntry) -> rvl.Perceiver:
    write_confidence(path, {rvl.Modality.IMAGE: entries})
    return rvl.Perceiver.open(path, modalities=["image"], threads=1)


def by_hand(perceiver: rvl.Perceiver, embedding: np.ndarray, temperature: float) -> dict[str, float]:
    anchors = perceiver.anchors("image")
    logits = SCALE * (anchors.matrix @ embedding).astype(np.float64) / temperature
    weights = np.exp(logits - logits.max())
    return dict(zip(anchors.labels, weights / weights.sum(), strict=True))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_temperature_divides_the_logits(own_bundle: Path, temperature: float) -> None:
    with calibrated(own_bundle, entry(temperature)) as perceiver:
        seen = perceiver.image(PICTURE)
        expected = by_hand(perceiver, seen.embedding, temperature)
        assert perceiver.classify("image", seen.embedding) == seen.labels
    assert {each.name: each.probability for each in seen.labels} == pytest.approx(expected, abs=1e-5)


def test_unknown_and_plausible_by_their_thresholds(own_bundle: Path) -> None:
    with rvl.Perceiver.open(own_bundle, modalities=["image"]) as perceiver:
        first, second, third = perceiver.image(PICTURE).labels
    just_below, just_above = first.probability - 1e-4, first.probability + 1e-4
    with calibrated(own_bundle, entry(1.0, just_above, second.probability - 1e-4)) as perceiver:
        seen = perceiver.image(PICTURE)
        assert (seen.decision, seen.plausible) == (UNKNOWN, (first.name, second.name))
    with calibrated(own_bundle, entry(1.0, just_below, third.probability / 2)) as perceiver:
        seen = perceiver.image(PICTURE)
        assert (seen.decision, seen.plausible) == (first.name, (first.name, second.name, third.name))


def test_only_what_was_calibrated_is_judged(own_bundle: Path) -> None:
    with calibrated(own_bundle, entry(3.0, unknown_below=1.0)) as perceiver:
        assert perceiver.image(PICTURE).decision == UNKNOWN
        perceiver.set_labels(["car", "dog"], "image")
        other = perceiver.image(PICTURE)
        assert perceiver.confidence("image") is None
        assert (other.decision, other.plausible) == (other.labels[0].name, ())
        expected = by_hand(perceiver, other.embedding, 1.0)
        assert {each.name: each.probability for each in other.labels} == pytest.approx(expected, abs=1e-5)
        perceiver.set_labels(LABELS["objects"], "image", templates=["a {}"])
        assert perceiver.image(PICTURE).decision != UNKNOWN
        perceiver.set_labels(LABELS["objects"][::-1], "image")
        assert perceiver.image(PICTURE).decision == UNKNOWN
        assert perceiver.confidence("image") == entry(3.0, unknown_below=1.0)


def test_labels_of_the_users_own_can_be_calibrated(own_bundle: Path) -> None:
    own = entry(1.0, unknown_below=1.0, labels=("cat", "forklift"))
    with calibrated(own_bundle, own) as perceiver:
        assert perceiver.image(PICTURE).decision != UNKNOWN
        with pytest.warns(rvl.UntrainedLabelWarning):
            perceiver.set_labels(["forklift", "cat"], "image")
        assert perceiver.image(PICTURE).decision == UNKNOWN


def test_cola_has_a_calibration_of_its_own(own_bundle: Path) -> None:
    with rvl.Perceiver.open(own_bundle, modalities=["image"], cola=True) as perceiver:
        ranking = perceiver.ranking("image")
        sharp = perceiver.image(PICTURE).labels
    assert ranking.startswith("cola ")
    with calibrated(own_bundle, entry(1.0), entry(50.0, unknown_below=1.0, ranking=ranking)) as perceiver:
        assert perceiver.image(PICTURE).decision != UNKNOWN
        perceiver.set_cola(True)
        seen = perceiver.image(PICTURE)
        assert seen.decision == UNKNOWN
        assert [each.name for each in seen.labels] == [each.name for each in sharp]
        ratios = np.log([each.probability for each in seen.labels])
        assert 50 * (ratios - ratios[0]) == pytest.approx(
            np.log([each.probability / sharp[0].probability for each in sharp]), abs=1e-3
        )
        perceiver.set_cola(rvl.ColaSettings(views=2))
        assert perceiver.confidence("image") is None
        assert perceiver.image(PICTURE).decision != UNKNOWN
        perceiver.set_cola(False)
        assert perceiver.confidence("image") == entry(1.0)


def test_a_sample_that_the_gate_spares_is_judged_as_the_plain_ranking_is(own_bundle: Path) -> None:
    gated = rvl.ColaSettings(gate=rvl.Gate(margin=0.0, trust=0.0))
    with rvl.Perceiver.open(own_bundle, modalities=["image"], cola=gated) as perceiver:
        ranking = perceiver.ranking("image")
    with calibrated(own_bundle, entry(2.0), entry(50.0, unknown_below=1.0, ranking=ranking)) as perceiver:
        perceiver.set_cola(gated)
        seen = perceiver.image(PICTURE)
        expected = by_hand(perceiver, seen.embedding, 2.0)
    assert seen.refinement is not None
    assert seen.refinement.why is Spent.SPARED
    assert seen.decision != UNKNOWN
    assert {each.name: each.probability for each in seen.labels} == pytest.approx(expected, abs=1e-5)


def test_a_stale_calibration_stops_the_sense_it_is_of_and_no_other(own_bundle: Path) -> None:
    write_confidence(own_bundle, {rvl.Modality.IMAGE: [entry(2.0)]})
    graph = own_bundle / "graphs/image.onnx"
    old = rvl.Bundle.open(own_bundle).manifest
    swapped = old.senses[rvl.Modality.IMAGE].model_copy(
        update={
            "graph": old.senses[rvl.Modality.THERMAL].graph.model_copy(update={"path": "graphs/image.onnx"})
        }
    )
    graph.write_bytes((own_bundle / "graphs/thermal.onnx").read_bytes())
    manifest = Manifest(**{**dict(old), "senses": {**old.senses, rvl.Modality.IMAGE: swapped}})
    (own_bundle / "manifest.json").write_text(manifest.model_dump_json())
    with pytest.raises(CalibrationStale, match="rvl-edge calibrate confidence"):
        rvl.Perceiver.open(own_bundle)
    with rvl.Perceiver.open(own_bundle, modalities=["audio"]) as perceiver:
        assert perceiver.confidence("audio") is None
    bundle = rvl.Bundle.open(own_bundle)
    with rvl.Perceiver(bundle.uncalibrated(), modalities=["image"]) as perceiver:
        assert perceiver.confidence("image") is None
