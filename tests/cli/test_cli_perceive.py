# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import wave
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from command_line import CommandLine

from rvl_edge import DepthUnit, Modality, Perceiver, ThermalUnit
from rvl_edge.backends import BACKENDS
from rvl_edge.cli.arguments import Backend, Sense
from rvl_edge.cli.perceive import Unit

KEYS = ("file", "modality", "labels", "labels_version", "timing", "embedding")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """One file a sense, of noise."""
    random = np.random.default_rng(7)
    paths = {name: tmp_path / name for name in ("image.png", "thermal.npy", "audio.wav", "video.npy")}
    cv2.imwrite(str(paths["image.png"]), random.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    np.save(paths["thermal.npy"], random.integers(29_000, 31_000, (48, 64), dtype=np.uint16))
    np.save(paths["video.npy"], random.integers(0, 256, (9, 48, 64, 3), dtype=np.uint8))
    with wave.open(str(paths["audio.wav"]), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(random.integers(-3000, 3000, 16_000, dtype=np.int16).tobytes())
    return {name.partition(".")[0]: path for name, path in paths.items()}


def test_each_sense_is_perceived_as_the_library_does(
    rvl_edge: CommandLine, tiny_bundle: Path, files: dict[str, Path]
) -> None:
    outcome = rvl_edge("perceive", *files.values(), "--bundle", tiny_bundle, "--json")
    seen = {each["modality"]: each for each in outcome.document["seen"]}
    assert outcome.code == 0, outcome.err
    assert list(seen) == list(files)
    with Perceiver.open(tiny_bundle) as perceiver:
        expected = perceiver.image(cv2.imread(str(files["image"]))[..., ::-1])
    assert seen["image"]["embedding"] == pytest.approx(expected.embedding.tolist(), abs=1e-6)
    assert [label["name"] for label in seen["image"]["labels"]] == [label.name for label in expected.labels]
    for each in seen.values():
        assert set(each) == {*KEYS, "decision", "plausible", "trust"}
        assert set(each["timing"]) == {"preprocess", "encode", "refine", "classify", "judge"}


def test_on_another_backend(rvl_edge: CommandLine, tiny_bundle: Path, files: dict[str, Path]) -> None:
    pytest.importorskip("openvino", reason="backend openvino is not installed")
    command = ("perceive", files["image"], "--bundle", tiny_bundle, "--json")
    (portable,) = rvl_edge(*command).document["seen"]
    (other,) = rvl_edge(*command, "--backend", "openvino").document["seen"]
    assert other["embedding"] == pytest.approx(portable["embedding"], abs=1e-5)
    assert other["embedding"] != portable["embedding"]  # another library's rounding


def test_the_command_line_names_every_backend() -> None:
    assert get_args(Backend) == BACKENDS


def test_depth_is_read_on_demand_in_its_unit(
    rvl_edge: CommandLine, tiny_bundle: Path, files: dict[str, Path]
) -> None:
    tenths = np.load(files["thermal"]) / np.float32(10)  # 2.9 to 3.1 m in millimetres
    np.save(files["thermal"], tenths)
    command = ("perceive", files["thermal"], "--modality", "depth", "--bundle", tiny_bundle, "--json")
    (seen,) = rvl_edge(*command, "--unit", "millimetres").document["seen"]
    with Perceiver.open(tiny_bundle) as perceiver:
        expected = perceiver.depth(tenths / 1000)
    assert seen["modality"] == "depth"
    assert seen["embedding"] == pytest.approx(expected.embedding.tolist(), abs=1e-6)
    (refused,) = rvl_edge(*command, "--unit", "kelvin").document["refused"]
    assert refused["error"]["what"] == "unknown depth unit"


def test_labels_of_ones_own_are_ranked_and_marked_as_untrained(
    rvl_edge: CommandLine, tiny_bundle: Path, files: dict[str, Path]
) -> None:
    outcome = rvl_edge(
        "perceive", files["image"], "--labels", "dog,forklift", "--top", 1, "--bundle", tiny_bundle, "--json"
    )
    (seen,) = outcome.document["seen"]
    assert len(seen["labels"]) == 1
    assert seen["labels"][0]["probability"] > 0.5
    assert outcome.document["untrained_labels"] == {"image": ["forklift"]}


def test_a_label_set_of_the_bundle_goes_by_its_name(
    rvl_edge: CommandLine, tiny_bundle: Path, files: dict[str, Path]
) -> None:
    outcome = rvl_edge("perceive", files["video"], "--labels", "objects", "--bundle", tiny_bundle, "--json")
    names = {label["name"] for label in outcome.document["seen"][0]["labels"]}
    assert names == {"dog", "car", "person"}


def test_a_bad_file_does_not_stop_the_others(
    rvl_edge: CommandLine, tiny_bundle: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    cut = tmp_path / "cut.npy"
    cut.write_bytes(files["video"].read_bytes()[:1000])
    outcome = rvl_edge(
        "perceive", cut, tmp_path / "imgae.png", files["image"], "--bundle", tiny_bundle, "--json"
    )
    refused = outcome.document["refused"]
    assert outcome.code == 2
    assert [each["file"] for each in outcome.document["seen"]] == [str(files["image"])]
    assert [each["error"]["code"] for each in refused] == ["bad-encoding", "config"]
    assert str(files["image"]) in refused[1]["error"]["fix"]


def test_a_missing_package_is_an_environment_error_with_its_pip_line(
    rvl_edge: CommandLine, tiny_bundle: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "sound.flac").write_bytes(b"fLaC" + bytes(100))
    outcome = rvl_edge("perceive", tmp_path / "sound.flac", "--bundle", tiny_bundle, blocked=("soundfile",))
    assert outcome.code == 3
    assert "pip install 'rvl-edge-sdk[media]'" in outcome.err
    assert "Traceback" not in outcome.err


def test_an_unknown_sense_lists_the_known_ones(rvl_edge: CommandLine, files: dict[str, Path]) -> None:
    outcome = rvl_edge("perceive", files["image"], "--modality", "termal")
    assert outcome.code == 2
    assert all(sense in outcome.err for sense in Modality)


def test_the_choices_are_those_of_the_library() -> None:
    assert set(get_args(Sense)) == {sense.value for sense in Modality}
    assert set(get_args(Unit)) == {unit.value for unit in (*ThermalUnit, *DepthUnit)}
