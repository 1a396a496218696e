# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import CommandLine

from rvl_edge.types import Modality


def test_the_list_is_the_manifests(rvl_edge: CommandLine, tiny_bundle: Path) -> None:
    manifest = json.loads((tiny_bundle / "manifest.json").read_text())
    known = rvl_edge("labels", "--bundle", tiny_bundle, "--json").document
    assert known["label_sets"] == manifest["label_sets"]
    assert known["concepts"] == manifest["concepts"]
    assert known["in_force"] == {name: sense["label_set"] for name, sense in manifest["senses"].items()}


def test_a_trained_label_is_nearest_to_itself_and_a_foreign_one_is_marked(
    rvl_edge: CommandLine, tiny_bundle: Path
) -> None:
    outcome = rvl_edge("labels", "dog", "forklift", "--bundle", tiny_bundle, "--json")
    readings = {(each["modality"], each["label"]): each for each in outcome.document["readings"]}
    dog = readings["image", "dog"]
    assert dog["trained"] is True
    assert dog["nearest"][0]["concept"] == "dog"
    assert dog["nearest"][0]["cosine"] == pytest.approx(1.0, abs=1e-5)
    assert readings["image", "forklift"]["trained"] is False
    assert len(readings) == 2 * len(Modality)


def test_labels_come_from_a_file_one_a_line(rvl_edge: CommandLine, tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("# what I look for\ndog\n\n  person  \n")
    readings = rvl_edge("labels", "@mine.txt", "--bundle", tiny_bundle, "--json").document["readings"]
    assert [each["label"] for each in readings if each["modality"] == "image"] == ["dog", "person"]


def test_a_mistyped_label_file_names_the_nearest(
    rvl_edge: CommandLine, tiny_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("dog\n")
    outcome = rvl_edge("labels", "@mien.txt", "--bundle", tiny_bundle)
    assert outcome.code == 2
    assert "did you mean mine.txt?" in outcome.err


def test_the_home_of_nobody_is_a_mistake_of_the_callers(rvl_edge: CommandLine, tiny_bundle: Path) -> None:
    outcome = rvl_edge("labels", "@~nobody-of-that-name/labels.txt", "--bundle", tiny_bundle)
    assert outcome.code == 2
    assert "there is no such user" in outcome.err


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b""], ids=["binary", "empty"])
def test_a_label_file_without_labels_is_refused(
    rvl_edge: CommandLine, tiny_bundle: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    outcome = rvl_edge("labels", "@bad.txt", "--bundle", tiny_bundle, "--json")
    assert outcome.code == 2
    assert outcome.document["error"]["code"] == "config"


def test_an_empty_label_is_refused_as_one(rvl_edge: CommandLine, tiny_bundle: Path) -> None:
    outcome = rvl_edge("labels", "dog", "", "--bundle", tiny_bundle, "--json")
    assert outcome.code == 2
    assert outcome.document["error"]["code"] == "config"


def test_the_same_label_twice_is_refused(rvl_edge: CommandLine, tiny_bundle: Path) -> None:
    outcome = rvl_edge("labels", "dog", "Dog", "--bundle", tiny_bundle)
    assert outcome.code == 2
    assert "given twice" in outcome.err
