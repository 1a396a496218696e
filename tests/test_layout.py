# SPDX-License-Identifier: Apache-2.0
"""Promises that the documentation makes about the source tree."""

from __future__ import annotations

import re
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


def test_every_error_code_is_in_the_index_and_on_the_page_that_the_error_names() -> None:
    index = (ROOT / "docs/errors/README.md").read_text().splitlines()
    for kind in error_classes():
        if "code" not in vars(kind):  # a family within a family, whose members are raised
            continue
        page, code = ROOT / kind.page, f"`{kind.code}`"
        assert code in page.read_text(), kind.__name__
        (row,) = (line for line in index if line.startswith("|") and code in line)
        assert f"]({page.name})" in row, kind.__name__


def test_every_extra_is_in_the_table_of_missing_dependencies() -> None:
    section = (
        (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1].split("\n[")[0]
    )
    extras = re.findall(r"^([\w-]+) = \[", section, re.MULTILINE)
    table = (ROOT / "docs/errors/config.md").read_text().split("| extra |")[1]
    firsts = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    assert "offline" in extras
    assert [each for each in extras if not any(f"`{each}`" in first for first in firsts)] == []
