# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import CommandLine
from tiny_bundle import LABELS

from rvl_edge import Bundle, Modality
from rvl_edge.bundle.calibrating import write_confidence
from rvl_edge.bundle.calibration import ConfidenceEntry
from rvl_edge.bundle.manifest import Manifest


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for label, level in (("dark", 40), ("bright", 200)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(20):
            noise = level + random.integers(-40, 40, (32, 32, 3))
            cv2.imwrite(str(tmp_path / "photos" / label / f"{number}.png"), noise.astype(np.uint8))
    return tmp_path / "photos"


@pytest.fixture
def calibrated(own_bundle: Path) -> Path:
    """Whatever a picture shows, it is unknown."""
    entry = ConfidenceEntry(
        label_set="objects",
        labels=LABELS["objects"],
        templates=("a photo of a {}", "one {} seen by a robot"),
        temperature=2.0,
        alpha=0.1,
        unknown_below=1.0,
        plausible_from=0.0,
        samples=99,
    )
    write_confidence(own_bundle, {Modality.IMAGE: [entry]})
    return own_bundle


def make_stale(path: Path) -> None:
    """Put another graph in the place of the image encoder's, and its hash into the manifest."""
    manifest = Bundle.open(path).manifest
    content = (path / "graphs/thermal.onnx").read_bytes()
    (path / "graphs/image.onnx").write_bytes(content)
    image = manifest.senses[Modality.IMAGE]
    graph = image.graph.model_copy(
        update={"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    )
    senses = {**manifest.senses, Modality.IMAGE: image.model_copy(update={"graph": graph})}
    text = Manifest.model_copy(manifest, update={"senses": senses}).model_dump_json()
    (path / "manifest.json").write_text(text)


def test_calibrate_confidence_writes_into_the_bundle_and_perceive_shows_it(
    rvl_edge: CommandLine, own_bundle: Path, photos: Path
) -> None:
    pytest.importorskip("torch", reason="needs the offline extra")
    outcome = rvl_edge("calibrate", "confidence", own_bundle, "--data", photos, "--alpha", 0.2, "--json")
    assert outcome.code == 0, outcome.err
    (fitted,) = outcome.document["outcomes"]
    assert (fitted["modality"], fitted["entry"]["labels"]) == ("image", ["bright", "dark"])
    assert fitted["measured"]["accuracy"]["trials"] == 40
    assert set(fitted["measured"]) >= {"before", "after", "answered", "covered", "set_size", "unknowns"}
    picture = photos / "dark" / "0.png"
    command = ("perceive", picture, "--labels", "bright,dark", "--bundle", own_bundle, "--json")
    document = rvl_edge(*command).document
    promise = document["confidence"]["image"]
    assert promise == {name: fitted["entry"][name] for name in promise}
    assert len(document["seen"][0]["plausible"]) >= 1


def test_a_folder_without_samples_is_a_users_error(
    rvl_edge: CommandLine, own_bundle: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="needs the offline extra")
    (tmp_path / "empty" / "dog").mkdir(parents=True)
    outcome = rvl_edge("calibrate", "confidence", own_bundle, "--data", tmp_path / "empty")
    assert outcome.code == 2
    assert "dog" in outcome.err
    assert "Traceback" not in outcome.err


def test_perceive_prints_the_decision_and_what_is_plausible(
    rvl_edge: CommandLine, calibrated: Path, tiny_bundle: Path, photos: Path
) -> None:
    picture = photos / "dark" / "0.png"
    (seen,) = rvl_edge("perceive", picture, "--bundle", calibrated, "--json").document["seen"]
    assert seen["decision"] == "unknown"
    assert set(seen["plausible"]) == set(LABELS["objects"])
    plain = rvl_edge("perceive", picture, "--bundle", tiny_bundle, "--json").document
    assert plain["seen"][0]["decision"] == plain["seen"][0]["labels"][0]["name"]
    assert plain["confidence"] == {"image": None}
    assert "unknown" in rvl_edge("perceive", picture, "--bundle", calibrated).out


def test_verify_and_doctor_say_whether_the_calibration_holds(
    rvl_edge: CommandLine, calibrated: Path, tiny_bundle: Path
) -> None:
    def verdicts(path: Path) -> dict[str, str]:
        checks = rvl_edge("verify", path, "--json").document["checks"]
        return {each["subject"]: each["verdict"] for each in checks}

    def doctor(path: Path) -> dict[str, dict[str, str]]:
        findings = rvl_edge("doctor", "--bundle", path, "--json").document["findings"]
        return {each["subject"]: each for each in findings}

    assert verdicts(calibrated)["calibration of image"] == "pass"
    assert "calibration of image" not in verdicts(tiny_bundle)
    found = doctor(tiny_bundle)["calibration"]
    assert (found["verdict"], found["fix"][:31]) == ("absent", "rvl-edge calibrate confidence B")
    make_stale(calibrated)
    assert verdicts(calibrated)["calibration of image"] == "fail"
    assert rvl_edge("verify", calibrated).code == 1
    broken = doctor(calibrated)["bundle"]
    assert (broken["verdict"], "stale" in broken["detail"]) == ("broken", True)
    assert "rvl-edge calibrate confidence" in broken["fix"]
