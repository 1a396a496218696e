# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

from command_line import CommandLine


def test_a_sound_bundle_passes_every_check(rvl_edge: CommandLine, tiny_bundle: Path) -> None:
    outcome = rvl_edge("verify", tiny_bundle, "--json")
    report = outcome.document
    assert outcome.code == 0
    assert report["ok"] is True
    assert {check["verdict"] for check in report["checks"]} == {"pass"}
    files = {path.relative_to(tiny_bundle).as_posix() for path in tiny_bundle.rglob("*") if path.is_file()}
    assert {check["subject"] for check in report["checks"]} == files


def test_one_flipped_bit_fails_that_file_alone(rvl_edge: CommandLine, own_bundle: Path) -> None:
    victim = own_bundle / "text" / "text.onnx"
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    outcome = rvl_edge("verify", own_bundle, "--json")
    failed = [check["subject"] for check in outcome.document["checks"] if check["verdict"] == "fail"]
    assert outcome.code == 1
    assert failed == ["text/text.onnx"]
    assert "refused" in rvl_edge("verify", own_bundle).out


def test_a_manifest_of_a_newer_release_says_so(rvl_edge: CommandLine, own_bundle: Path) -> None:
    manifest = own_bundle / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema_version": 2}))
    outcome = rvl_edge("verify", own_bundle)
    assert outcome.code == 1
    assert "newer release" in outcome.out
