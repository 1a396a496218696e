# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from rvl_edge.cli.output import print_table


def test_a_narrow_terminal_still_shows_every_character(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    row = ("graphs/image.onnx", "engines/image-agx-orin-batch-8.engine")
    print_table(("graph", "engine"), [row])
    lines = capsys.readouterr().out.splitlines()
    second = next(line.index("engine") for line in lines if "engine" in line)
    rule = next(number for number, line in enumerate(lines) if "─" in line)
    cells = [(line[:second].strip(), line[second:].strip()) for line in lines[rule + 1 :]]
    assert max(map(len, lines)) <= 30
    assert "".join(left for left, _ in cells) == row[0]
    assert "".join(right for _, right in cells) == row[1]


def test_what_no_terminal_shows_has_a_line_a_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    row = ("graphs/image.onnx", "a note about it " * 20 + "that ends")
    print_table(("graph", "note"), [row])
    assert any(row[0] in line and "that ends" in line for line in capsys.readouterr().out.splitlines())
