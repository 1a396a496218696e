# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from rvl_edge.errors import ConfigError
from rvl_edge.refine import PromptSet


def written(folder: Path, text: str) -> Path:
    path = folder / "prompts.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_selects_by_label_in_the_order_asked_for(tmp_path: Path) -> None:
    prompts = PromptSet.read(written(tmp_path, "Cat: [a cat, ' soft fur ']\ndog: [a dog, a wet nose]\n"))
    assert prompts.select(["dog", "CAT"]) == (("a dog", "a wet nose"), ("a cat", "soft fur"))
    assert prompts.select(["dog", "cow"]) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "mapping|dict"),
        ("{}", "at least 1"),
        ("[cat, dog]", "dict"),
        ("cat: a cat", "tuple"),
        ("cat: []", "at least 1"),
        ("cat: ['  ']", "at least 1 character"),
        ("cat: [3]", "string"),
        (f"cat: [{'x' * 1001}]", "at most 1000"),
        ("cat: [one]\ndog: [one, two]", r"\[1, 2\]"),
        ("cat: [one", "expected"),
        ("cat: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
    ],
)
def test_refuses_a_file_it_cannot_use(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        PromptSet.read(written(tmp_path, text))


def test_refuses_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        PromptSet.read(tmp_path / "none.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00cat")
    with pytest.raises(ConfigError, match="cannot be used"):
        PromptSet.read(binary)


def test_shipped_prompt_sets_can_be_read() -> None:
    folder = Path(__file__).resolve().parents[2] / "calibration" / "prompts"
    found = {path.stem: PromptSet.read(path) for path in folder.glob("*.yaml")}
    assert found
    for name, prompts in found.items():
        for label, descriptions in prompts.descriptions.items():
            assert len(set(descriptions)) == len(descriptions), f"{name}: {label} says a thing twice"
