# SPDX-License-Identifier: Apache-2.0
"""The bundle embedded in the package: whole, small, and free of this machine's traces."""

from __future__ import annotations

import pytest

import rvl_edge as rvl
from rvl_edge.bundle.opening import DEFAULT_BUNDLE

pytestmark = pytest.mark.skipif(
    not (DEFAULT_BUNDLE / "manifest.json").exists(),
    reason="not exported yet: rvl-edge export export/tiny.yaml",
)


def test_every_check_passes_and_nothing_lies_about() -> None:
    report = rvl.verify()
    assert {check.verdict.value for check in report.checks} == {"pass"}


def test_all_senses_but_depth_in_at_most_forty_megabytes() -> None:
    manifest = rvl.Bundle.open().manifest
    assert set(manifest.senses) == set(rvl.Modality) - {rvl.Modality.DEPTH}
    assert sum(reference.size for reference in manifest.files()) <= 40_000_000


def test_names_no_path_of_the_machine_that_made_it() -> None:
    for path in DEFAULT_BUNDLE.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for trace in (str(DEFAULT_BUNDLE.parents[1]), 'File "', "stack_trace"):
                assert trace.encode() not in content, f"{trace} in {path.name}"


def test_every_sense_warms_up_and_its_own_labels_are_trained() -> None:
    with rvl.Perceiver.open(threads=1) as perceiver:
        perceiver.warm_up()
        for sense in perceiver.modalities:
            assert perceiver.anchors(sense).untrained == ()
