# SPDX-License-Identifier: Apache-2.0
"""Promises that the documentation makes about the source tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rvl_edge import errors

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [
    path
    for folder in ("rvl_edge", "ros2_ws/src", "scripts", "tests", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def error_classes(
    base: type[errors.RvlEdgeError] = errors.RvlEdgeError,
) -> Iterator[type[errors.RvlEdgeError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from error_classes(kind)


def test_every_source_file_states_its_licence_and_stays_small() -> None:
    lines = {path: path.read_text().splitlines() for path in SOURCES}
    assert [
        path for path, text in lines.items() if text and text[0] != "# SPDX-License-Identifier: Apache-2.0"
    ] == []
    assert {path: len(text) for path, text in lines.items() if len(text) > 400} == {}


def test_every_error_code_is_in_the_index_and_its_page_exists() -> None:
    index = (ROOT / "docs/errors/README.md").read_text()
    kinds = list(error_classes())
    assert [kind.__name__ for kind in kinds if not (ROOT / kind.page).is_file()] == []
    codes = {kind.code for kind in kinds} - {"input", "bundle"}  # families, never raised themselves
    assert {code for code in codes if f"`{code}`" not in index} == set()
