# SPDX-License-Identifier: Apache-2.0
"""Backends that are chosen where none was named."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from engine_bundles import with_engine
from typer.testing import CliRunner

from rvl_edge.cli.main import app
from rvl_edge.errors import RvlEdgeError

needs_rtx = pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="tensorrt_rtx is not installed")
QUICK = ("--rounds", "1", "--threads", "1", "--modality", "image", "--modality", "thermal")


@pytest.fixture
def half_built(own_bundle: Path) -> Path:
    """A bundle with an engine for pictures alone, of a release that nobody has."""
    with_engine(own_bundle, flavour="tensorrt-rtx", version="0.1", device=None)
    return own_bundle


@needs_rtx
def test_an_engine_that_cannot_run_here_is_left_out_sense_by_sense(half_built: Path) -> None:
    done = CliRunner().invoke(app, ["bench", str(half_built), *QUICK, "--json"])
    assert done.exit_code == 0, done.output
    image, thermal = json.loads(done.stdout)["results"]
    assert [each["backend"] for each in image["left_out"]] == ["tensorrt-rtx"]
    assert "no engine" not in image["left_out"][0]["reason"]  # there is one: no GPU, or another release
    assert thermal["left_out"] == [{"backend": "tensorrt-rtx", "reason": "no engine was built for it"}]
    for each in (image, thermal):
        contenders = [outcome["contender"] for outcome in each["outcomes"]]
        assert "onnxruntime" in contenders
        assert "tensorrt-rtx" not in contenders


@needs_rtx
def test_what_is_left_out_is_said_below_the_tables(half_built: Path) -> None:
    done = CliRunner().invoke(app, ["bench", str(half_built), *QUICK])
    assert "thermal without tensorrt-rtx: no engine was built for it" in done.stdout
    assert "image without tensorrt-rtx: " in done.stdout


@needs_rtx
def test_a_backend_that_was_named_is_not_left_out(half_built: Path) -> None:
    done = CliRunner().invoke(app, ["bench", str(half_built), *QUICK, "--backend", "tensorrt-rtx"])
    assert isinstance(done.exception, RvlEdgeError)
