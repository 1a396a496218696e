# SPDX-License-Identifier: Apache-2.0
"""The nodes use the SDK as any program would; import-linter does not see them, so this reads them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import rvl_edge

SOURCES = sorted((Path(__file__).parents[2] / "ros2_ws" / "src" / "rvl_edge" / "rvl_edge_ros").glob("*.py"))
PUBLIC_MODULES = {"rvl_edge.errors", "rvl_edge.types", "rvl_edge.media"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_only_public_names_of_the_sdk_are_imported(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
            assert not names & {"rvl_edge", "torch"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rvl_edge":
            if node.module == "rvl_edge":
                assert {alias.name for alias in node.names} <= set(rvl_edge.__all__)
            else:
                assert node.module in PUBLIC_MODULES


def test_there_is_something_to_read() -> None:
    assert len(SOURCES) > 10
