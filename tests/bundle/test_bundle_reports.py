# SPDX-License-Identifier: Apache-2.0
"""A report is added to a bundle in one step, and nothing else of it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvl_edge.bundle import Bundle
from rvl_edge.bundle.writing import add_reports
from rvl_edge.errors import BundleError, BundleNotFound


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_reports_are_named_in_the_manifest_and_the_rest_stays(own_bundle: Path) -> None:
    (own_bundle / "notes.txt").write_text("of the user")
    before = contents(own_bundle)
    add_reports(own_bundle, {"card.json": b"{}", "report.html": b"<p>"})
    add_reports(own_bundle, {"card.json": b'{"new": 1}'})
    bundle = Bundle.open(own_bundle)
    assert {name: bundle.read(each) for name, each in bundle.manifest.reports.items()} == {
        "card.json": b'{"new": 1}',
        "report.html": b"<p>",
    }
    after = contents(own_bundle)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"manifest.json"}
    assert sorted(path.name for path in own_bundle.parent.iterdir()) == [own_bundle.name]


def test_whoever_holds_the_old_files_open_reads_the_old_report(own_bundle: Path) -> None:
    add_reports(own_bundle, {"card.json": b"old"})
    with (
        (own_bundle / "reports/card.json").open("rb") as reader,
        (own_bundle / "manifest.json").open() as manifest,
    ):
        add_reports(own_bundle, {"card.json": b"new"})
        assert reader.read() == b"old"
        assert "reports/card.json" in manifest.read()


def test_a_report_that_cannot_be_added_leaves_the_bundle_as_it_was(own_bundle: Path) -> None:
    before = contents(own_bundle)
    with pytest.raises(BundleError):
        add_reports(own_bundle, {"../outside.html": b"x"})
    assert contents(own_bundle) == before
    assert not (own_bundle.parent / "outside.html").exists()


def test_a_damaged_bundle_gets_no_report(own_bundle: Path, tmp_path: Path) -> None:
    (own_bundle / "MODEL_CARD.md").write_text("changed")
    with pytest.raises(BundleError):
        add_reports(own_bundle, {"card.json": b"{}"})
    with pytest.raises(BundleNotFound):
        add_reports(tmp_path / "nothing", {"card.json": b"{}"})
