# SPDX-License-Identifier: Apache-2.0
"""A calibration lies in the bundle, holds for what it was fitted on, and is refused for anything else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tiny_bundle import LABELS

from rvl_edge.bundle import Bundle, verify
from rvl_edge.bundle import calibration as schema
from rvl_edge.bundle.calibrating import write_confidence, write_monitors
from rvl_edge.bundle.calibration import (
    CALIBRATION_NAME,
    Calibration,
    ConfidenceEntry,
    MonitorEntry,
    SenseCalibration,
    fingerprint,
    parse_calibration,
)
from rvl_edge.bundle.manifest import FileRef, GraphEntry, Manifest
from rvl_edge.bundle.revisions import REVISIONS
from rvl_edge.errors import BundleError, CalibrationStale, ConfigError, HashMismatch
from rvl_edge.types import Modality

TEMPLATES = ("a photo of a {}", "one {} seen by a robot")
MONITOR = MonitorEntry(name="blur", samples=100, false_alarm_rate=0.01, threshold=0.5)


def entry(temperature: float = 2.0, labels: tuple[str, ...] = LABELS["objects"]) -> ConfidenceEntry:
    return ConfidenceEntry(
        label_set="objects",
        labels=labels,
        templates=TEMPLATES,
        temperature=temperature,
        alpha=0.05,
        unknown_below=0.4,
        plausible_from=0.1,
        samples=100,
    )


def calibration(path: Path) -> Calibration:
    found = Bundle.open(path).calibration
    assert found is not None
    return found


def rewrite(path: Path, manifest: Manifest) -> None:
    (path / "manifest.json").write_text(manifest.model_dump_json())


def test_a_bundle_without_one_says_so(tiny_bundle: Path) -> None:
    assert Bundle.open(tiny_bundle).calibration is None


def test_what_was_written_is_read_and_nothing_else_changes(own_bundle: Path) -> None:
    before = {path: path.read_bytes() for path in own_bundle.rglob("*") if path.is_file()}
    write_confidence(own_bundle, {Modality.IMAGE: [entry()]})
    changed = [path.name for path, content in before.items() if path.read_bytes() != content]
    assert changed == ["manifest.json"]
    bundle = Bundle.open(own_bundle)
    image = calibration(own_bundle).of(bundle.manifest, Modality.IMAGE)
    assert image is not None
    assert image.confidence == (entry(),)
    assert calibration(own_bundle).of(bundle.manifest, Modality.AUDIO) is None


def test_each_part_keeps_the_other_and_the_same_labels_are_replaced(own_bundle: Path) -> None:
    other = entry(labels=("dog", "car"))
    write_confidence(own_bundle, {Modality.IMAGE: [entry(), other], Modality.THERMAL: [entry()]})
    write_monitors(own_bundle, {Modality.IMAGE: [MONITOR]})
    again = entry(3.0, labels=LABELS["objects"][::-1])
    write_confidence(own_bundle, {Modality.IMAGE: [again]})
    senses = calibration(own_bundle).senses
    assert senses[Modality.IMAGE].confidence == (other, again)
    assert senses[Modality.IMAGE].monitors == (MONITOR,)
    assert senses[Modality.THERMAL].confidence == (entry(),)


def test_an_entry_holds_for_its_labels_templates_and_ranking_only(own_bundle: Path) -> None:
    write_confidence(own_bundle, {Modality.IMAGE: [entry()]})
    image = calibration(own_bundle).senses[Modality.IMAGE]
    labels = LABELS["objects"]
    assert image.confidence_for(labels[::-1], TEMPLATES[::-1]) == entry()
    assert image.confidence_for(labels[:2], TEMPLATES) is None
    assert image.confidence_for((*labels, "cat"), TEMPLATES) is None
    assert image.confidence_for(labels, TEMPLATES[:1]) is None
    assert image.confidence_for(labels, TEMPLATES, "cola views=5") is None


@pytest.mark.parametrize("graph", ["graphs/image.onnx", "text/text.onnx"])
def test_another_graph_makes_it_stale_for_the_senses_it_scores(own_bundle: Path, graph: str) -> None:
    write_confidence(own_bundle, {Modality.IMAGE: [entry()], Modality.AUDIO: [entry()]})
    write_monitors(own_bundle, {Modality.IMAGE: [MONITOR]})
    text = (own_bundle / "manifest.json").read_text()
    old = hashlib.sha256((own_bundle / graph).read_bytes()).hexdigest()
    manifest = Manifest.model_validate_json(text.replace(old, "0" * 64))
    found = calibration(own_bundle)
    with pytest.raises(CalibrationStale, match=graph) as caught:
        found.of(manifest, Modality.IMAGE)
    assert "rvl-edge calibrate confidence" in str(caught.value)
    assert "rvl-edge calibrate monitors" in str(caught.value)
    if graph == "text/text.onnx":
        with pytest.raises(BundleError):
            found.of(manifest, Modality.AUDIO)
    else:
        assert found.of(manifest, Modality.AUDIO) is not None


def test_fitting_again_drops_what_is_stale_of_that_sense_only(own_bundle: Path) -> None:
    write_confidence(own_bundle, {Modality.IMAGE: [entry()], Modality.AUDIO: [entry()]})
    write_monitors(own_bundle, {Modality.IMAGE: [MONITOR]})
    bundle = Bundle.open(own_bundle)
    assert bundle.manifest.calibration is not None
    text = (own_bundle / CALIBRATION_NAME).read_text()
    image = bundle.manifest.senses[Modality.IMAGE].graph.sha256
    stale = text.replace(image, "0" * 64).encode()
    (own_bundle / CALIBRATION_NAME).write_bytes(stale)
    reference = bundle.manifest.calibration.model_copy(
        update={"sha256": hashlib.sha256(stale).hexdigest(), "size": len(stale)}
    )
    rewrite(own_bundle, bundle.manifest.model_copy(update={"calibration": reference}))
    write_confidence(own_bundle, {Modality.IMAGE: [entry(3.0)]})
    now = Bundle.open(own_bundle)
    fitted = calibration(own_bundle).of(now.manifest, Modality.IMAGE)
    assert fitted is not None
    assert (fitted.confidence, fitted.monitors) == ((entry(3.0),), ())
    assert calibration(own_bundle).of(now.manifest, Modality.AUDIO) is not None


def test_another_sentinel_or_tokenizer_makes_it_stale(own_bundle: Path) -> None:
    manifest = Bundle.open(own_bundle).manifest
    image, thermal = (manifest.senses[each] for each in (Modality.IMAGE, Modality.THERMAL))
    guarded = image.model_copy(update={"sentinel": GraphEntry(graph=thermal.graph)})
    with_sentinel = manifest.model_copy(update={"senses": {**manifest.senses, Modality.IMAGE: guarded}})
    fitted = SenseCalibration(fitted_on=fingerprint(with_sentinel, Modality.IMAGE), monitors=(MONITOR,))
    file = Calibration(senses={Modality.IMAGE: fitted})
    assert file.of(with_sentinel, Modality.IMAGE) == fitted
    with pytest.raises(CalibrationStale, match=thermal.graph.path):
        file.of(manifest, Modality.IMAGE)
    tokenizer = manifest.text.tokenizer.model_copy(update={"sha256": "0" * 64})
    other = manifest.text.model_copy(update={"tokenizer": tokenizer})
    with pytest.raises(CalibrationStale, match=tokenizer.path):
        file.of(with_sentinel.model_copy(update={"text": other}), Modality.IMAGE)


@pytest.mark.parametrize("change", ["scale", "mean"])
def test_another_scale_or_preprocessing_makes_it_stale(own_bundle: Path, change: str) -> None:
    manifest = Bundle.open(own_bundle).manifest
    image = manifest.senses[Modality.IMAGE]
    spec = image.preprocess.model_copy(update={"mean": (0.1, 0.2, 0.3)})
    other = image.model_copy(update={"logit_scale": 50.0} if change == "scale" else {"preprocess": spec})
    fitted = SenseCalibration(fitted_on=fingerprint(manifest, Modality.IMAGE), monitors=(MONITOR,))
    file = Calibration(senses={Modality.IMAGE: fitted})
    prompts = image.model_copy(update={"templates": ("{}",)})  # each entry knows its own
    kept, changed = (
        manifest.model_copy(update={"senses": {**manifest.senses, Modality.IMAGE: each}})
        for each in (prompts, other)
    )
    assert file.of(kept, Modality.IMAGE) == fitted
    with pytest.raises(CalibrationStale, match="before preprocessing and logit scale changed"):
        file.of(changed, Modality.IMAGE)


@pytest.mark.parametrize(
    ("revised", "verb", "other"), [("blur", "monitors", "confidence"), ("plain", "confidence", "monitors")]
)
def test_a_release_that_computes_another_number_makes_its_thresholds_stale(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch, revised: str, verb: str, other: str
) -> None:
    write_confidence(own_bundle, {Modality.IMAGE: [entry()]})
    write_monitors(own_bundle, {Modality.IMAGE: [MONITOR]})
    monkeypatch.setattr(schema, "REVISIONS", {**REVISIONS, revised: REVISIONS[revised] + 1})
    with pytest.raises(CalibrationStale, match=f"one fitted before {revised} changed") as caught:
        calibration(own_bundle).of(Bundle.open(own_bundle).manifest, Modality.IMAGE)
    assert f"calibrate {verb}" in str(caught.value)
    assert f"calibrate {other}" not in str(caught.value)
    assert not verify(own_bundle).ok


def test_fitting_again_after_a_revision_leaves_nothing_stale(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_confidence(own_bundle, {Modality.IMAGE: [entry(), entry(labels=("dog", "car"))]})
    write_monitors(own_bundle, {Modality.IMAGE: [MONITOR]})
    monkeypatch.setattr(schema, "REVISIONS", {**REVISIONS, "plain": 2})
    fresh = entry().model_copy(update={"revision": 2})
    write_confidence(own_bundle, {Modality.IMAGE: [fresh]})
    fitted = calibration(own_bundle).of(Bundle.open(own_bundle).manifest, Modality.IMAGE)
    assert fitted is not None
    assert (fitted.confidence, fitted.monitors) == ((fresh,), (MONITOR,))


def test_a_bundle_that_is_replaced_while_it_is_opened_is_the_new_one(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_confidence(own_bundle, {Modality.IMAGE: [entry()]})
    whole, turns = Bundle.check, iter([True])

    def check(bundle: Bundle, reference: FileRef) -> None:
        if next(turns, False):
            write_confidence(own_bundle, {Modality.IMAGE: [entry(3.0)]})
        whole(bundle, reference)

    monkeypatch.setattr(Bundle, "check", check)
    opened = Bundle.open(own_bundle)
    assert next(turns, None) is None
    assert opened.calibration is not None
    assert opened.calibration.senses[Modality.IMAGE].confidence == (entry(3.0),)


def test_a_tampered_file_is_refused(own_bundle: Path) -> None:
    write_confidence(own_bundle, {Modality.IMAGE: [entry()]})
    path = own_bundle / CALIBRATION_NAME
    path.write_text(path.read_text().replace('"unknown_below": 0.4', '"unknown_below": 0.0'))
    with pytest.raises(HashMismatch, match=CALIBRATION_NAME):
        Bundle.open(own_bundle)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"alpha": 1.0}, "alpha"),
        ({"unknown_below": 1.5}, "unknown_below"),
        ({"labels": []}, "labels"),
        ({"extra": 1}, "extra"),
    ],
)
def test_nonsense_is_refused_by_name(own_bundle: Path, change: dict[str, object], named: str) -> None:
    write_confidence(own_bundle, {Modality.IMAGE: [entry()]})
    bundle = Bundle.open(own_bundle)
    raw = json.loads((own_bundle / CALIBRATION_NAME).read_text())
    raw["senses"]["image"]["confidence"][0].update(change)
    content = json.dumps(raw).encode()
    (own_bundle / CALIBRATION_NAME).write_bytes(content)
    assert bundle.manifest.calibration is not None
    reference = bundle.manifest.calibration.model_copy(
        update={"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    )
    rewrite(own_bundle, bundle.manifest.model_copy(update={"calibration": reference}))
    with pytest.raises(BundleError, match=named):
        _ = Bundle.open(own_bundle).calibration


def test_a_sense_that_the_bundle_lacks_is_refused(own_bundle: Path) -> None:
    manifest = Bundle.open(own_bundle).manifest
    senses = {key: value for key, value in manifest.senses.items() if key is not Modality.DEPTH}
    rewrite(own_bundle, manifest.model_copy(update={"senses": senses}))
    with pytest.raises(ConfigError, match="no such sense: got depth"):
        write_confidence(own_bundle, {Modality.DEPTH: [entry()]})
    assert not (own_bundle / CALIBRATION_NAME).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"schema_version": 2, "senses": {}}',
        b'{"senses": {"smell": {}}}',
    ],
)
def test_what_is_no_calibration_is_refused_with_the_way_out(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"calibration\.json breaks the schema") as caught:
        parse_calibration(content)
    assert "rvl-edge calibrate" in str(caught.value)
