# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine

QUICK = ("--rounds", "2", "--threads", "1", "--modality", "image")


def test_backends_side_by_side_as_data(rvl_edge: CommandLine, tiny_bundle: Path) -> None:
    pytest.importorskip("openvino", reason="backend openvino is not installed")
    outcome = rvl_edge(
        "bench", tiny_bundle, *QUICK, "--batch", "1", "--batch", "2", "--json", blocked=("torch",)
    )
    assert outcome.code == 0, outcome.err
    (sense,) = outcome.document["results"]
    assert sense["modality"] == "image"
    assert [each["contender"] for each in sense["outcomes"]] == ["onnxruntime", "openvino", "openvino-bf16"]
    for each in sense["outcomes"]:
        assert [own["batch"] for own in each["measured"]] == [1, 2]
        assert all(own["times"]["runs"] == 2 for own in each["measured"])
        assert all(
            own["times"]["min"] <= own["times"]["median"] <= own["times"]["max"] for own in each["measured"]
        )
        assert all(own["cosine_min"] > 0.999 for own in each["measured"])
    assert outcome.document["machine"]["cpus"] >= 1


def test_table_names_what_ran(rvl_edge: CommandLine, tiny_bundle: Path) -> None:
    outcome = rvl_edge("bench", tiny_bundle, *QUICK, "--backend", "onnxruntime")
    assert outcome.code == 0, outcome.err
    assert "image" in outcome.out
    assert "ONNX Runtime" in outcome.out
    assert "openvino" not in outcome.out


def test_only_what_is_installed_is_measured(rvl_edge: CommandLine, tiny_bundle: Path) -> None:
    outcome = rvl_edge("bench", tiny_bundle, *QUICK, "--backend", "openvino", "--json", blocked=("openvino",))
    assert outcome.code == 3
    assert outcome.document["error"]["code"] == "missing-dependency"


def test_unknown_backend(rvl_edge: CommandLine, tiny_bundle: Path) -> None:
    outcome = rvl_edge("bench", tiny_bundle, *QUICK, "--backend", "tensorflow")
    assert outcome.code == 2
    assert "openvino-bf16" in outcome.err
