# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rvl_edge.errors import ConfigError
from rvl_edge.offline.pulling.pinned import HubFile, Pin, pin_document, read_pin

HELLO = b"hello\n"
GIT = "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object
SHA256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"  # sha256sum


def ignore(task: str, done: int, total: int) -> None: ...


@pytest.mark.parametrize("hashes", [{"git_oid": GIT}, {"sha256": SHA256}, {"git_oid": GIT, "sha256": SHA256}])
def test_bytes_are_held_against_the_hash_that_is_known(tmp_path: Path, hashes: dict[str, str]) -> None:
    file = HubFile("notes.txt", len(HELLO), **hashes)
    path = tmp_path / "notes.txt"
    assert not file.matches(path, ignore)
    path.write_bytes(HELLO)
    assert file.matches(path, ignore)
    path.write_bytes(HELLO.swapcase())
    assert not file.matches(path, ignore)
    path.write_bytes(HELLO * 2)
    assert not file.matches(path, ignore)


@pytest.mark.parametrize(
    ("name", "sha256"),
    [("../config.json", SHA256), ("a/b", SHA256), (".hidden", SHA256), ("a", "../../../../etc"), ("a", None)],
)
def test_what_could_leave_the_folder_or_has_no_hash_is_no_file(name: str, sha256: str | None) -> None:
    with pytest.raises(ValidationError):
        HubFile(name, 1, sha256=sha256)


def test_a_pin_reads_as_it_was_written(tmp_path: Path) -> None:
    pin = Pin("a/b", "main", "0" * 40, (HubFile("notes.txt", len(HELLO), sha256=SHA256),))
    assert read_pin(tmp_path) is None
    (tmp_path / "pulled.json").write_bytes(pin_document(pin))
    assert read_pin(tmp_path) == pin
    (tmp_path / "pulled.json").write_text('{"repo": "a/b"}')
    with pytest.raises(ConfigError, match="commit"):
        read_pin(tmp_path)
