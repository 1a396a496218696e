# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from command_line import CommandLine
from typer.testing import CliRunner

from rvl_edge.cli.main import app
from rvl_edge.errors import ConfigError

HEAVY = {"numpy", "cv2", "onnxruntime", "pydantic", "tokenizers", "rich", "torch"}


def test_help_is_answered_without_importing_what_the_verbs_need() -> None:
    asked = "import sys; sys.argv = ['rvl-edge', '--help']\nfrom rvl_edge.cli.main import main\n"
    program = f"{asked}try:\n    main()\nexcept SystemExit:\n    print(sorted({HEAVY!r} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert "Usage: rvl-edge" in done.stdout
    assert done.stdout.endswith("[]\n")


def test_version_is_the_installed_distributions(rvl_edge: CommandLine) -> None:
    assert rvl_edge("--version").out.strip() == version("rvl-edge-sdk")


def test_a_mistyped_verb_names_the_nearest(rvl_edge: CommandLine) -> None:
    outcome = rvl_edge("doctr")
    assert outcome.code == 2
    assert "doctor" in outcome.err


@pytest.mark.parametrize("verb", ["verify", "labels --bundle", "doctor --bundle"])
def test_a_bundle_that_is_not_there_never_shows_a_traceback(
    rvl_edge: CommandLine, verb: str, tmp_path: Path
) -> None:
    outcome = rvl_edge(*verb.split(), tmp_path / "nowhere")
    assert outcome.code in (2, 3)
    assert "no such folder" in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


def test_debug_shows_where_an_error_came_from(rvl_edge: CommandLine, tmp_path: Path) -> None:
    assert "Traceback" in rvl_edge("--debug", "verify", tmp_path / "nowhere").err


def test_an_error_in_json_keeps_its_five_sides(rvl_edge: CommandLine, tmp_path: Path) -> None:
    outcome = rvl_edge("verify", tmp_path / "nowhere", "--json")
    error = outcome.document["error"]
    assert outcome.code == 2
    assert list(error) == ["code", "what", "got", "expected", "fix", "page"]
    assert (error["code"], error["got"]) == ("bundle-not-found", str(tmp_path / "nowhere"))


def test_letters_that_a_terminal_lacks_are_printed_by_their_numbers(
    rvl_edge: CommandLine, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    outcome = rvl_edge("labels", "größe", "--bundle", tiny_bundle)
    assert outcome.code == 0, outcome.err
    assert r"gr\xf6\xdfe" in outcome.out
    assert rvl_edge("verify", "größe", "--json").document["error"]["got"] == "größe"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_told_in_one_message() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "rvl_edge.cli", "--version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "report results.json --out a.txt/report",
        "calibrate collect . --modality image --out a.txt/samples",
        "evaluate --data . --attack square --eps 4 --modality image --run a.txt",
        "evaluate --data . --attack square --eps 4 --modality image --out a.txt/out.json",
        "evaluate --data . --out a.txt/out",
    ],
)
def test_where_nothing_can_be_written_is_told_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "results.json"):
        Path(name).write_text("{}")
    done = CliRunner().invoke(app, line.split())
    assert isinstance(done.exception, ConfigError)
    assert done.exception.what == "nothing can be written there"
