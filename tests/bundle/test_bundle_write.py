# SPDX-License-Identifier: Apache-2.0
"""A bundle is replaced whole or not at all, whoever dies when."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_bundle as maker

from rvl_edge._files import folder_atomic, write_atomic
from rvl_edge.bundle import Bundle, verify
from rvl_edge.bundle.writing import new_bundle
from rvl_edge.errors import BundleError


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_same_input_same_bytes(tiny_bundle: Path, tmp_path: Path) -> None:
    assert tree(maker.build(tmp_path / "again")) == tree(tiny_bundle)


def test_replaces_a_bundle_and_leaves_nothing_beside_it(own_bundle: Path) -> None:
    (own_bundle / "stale.txt").write_text("of the old one")
    maker.build(own_bundle)
    assert not (own_bundle / "stale.txt").exists()
    assert verify(own_bundle).ok
    assert names(own_bundle.parent) == [own_bundle.name]


def half_written(path: Path) -> None:
    with new_bundle(path) as writer:
        writer.add("graphs/image.onnx", b"new")
        raise ZeroDivisionError


def test_an_error_in_the_middle_keeps_the_old_one(own_bundle: Path) -> None:
    before = tree(own_bundle)
    with pytest.raises(ZeroDivisionError):
        half_written(own_bundle)
    assert tree(own_bundle) == before
    assert names(own_bundle.parent) == [own_bundle.name]


def test_a_bundle_that_robots_would_refuse_is_not_put_in_place(own_bundle: Path) -> None:
    before = tree(own_bundle)
    manifest = Bundle.open(own_bundle).manifest
    with pytest.raises(BundleError), new_bundle(own_bundle) as writer:
        writer.finish(manifest)  # without the files it names
    with pytest.raises(BundleError, match="manifest"), new_bundle(own_bundle) as writer:
        writer.add("graphs/image.onnx", b"new")
    assert tree(own_bundle) == before


def test_will_not_replace_what_is_no_bundle(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    with pytest.raises(BundleError, match="no bundle"):
        maker.build(home)
    assert (home / "thesis.tex").read_text() == "years of work"


def test_through_a_link_the_folder_behind_it_is_replaced(own_bundle: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(own_bundle)
    maker.build(link)
    assert link.is_symlink()
    assert verify(own_bundle).ok


KILLED = """
import os, signal, sys
from pathlib import Path
from rvl_edge.bundle.writing import new_bundle
with new_bundle(Path(sys.argv[1])) as writer:
    writer.add("graphs/image.onnx", b"half of it")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_the_old_one_and_the_next_one_tidies_up(own_bundle: Path) -> None:
    before = tree(own_bundle)
    done = subprocess.run([sys.executable, "-c", KILLED, str(own_bundle)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert tree(own_bundle) == before
    assert len(names(own_bundle.parent)) == 2  # the unfinished folder: nobody was left to remove it
    maker.build(own_bundle)
    assert names(own_bundle.parent) == [own_bundle.name]


def test_a_writer_at_work_is_not_tidied_away(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with folder_atomic(target) as first:
        (first / "from").write_text("first")
        with folder_atomic(target) as second:
            (second / "from").write_text("second")
        assert (first / "from").exists()
    assert (target / "from").read_text() == "first"
    assert names(tmp_path) == ["folder"]


def test_without_the_kernels_exchange_two_renames_do(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "another")
    maker.build(own_bundle)
    assert verify(own_bundle).ok
    assert names(own_bundle.parent) == [own_bundle.name]


def test_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(TypeError):
        write_atomic(path, "text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["x.json"]


def fill_the_disk(path: Path) -> None:
    with new_bundle(path) as writer:
        writer.add("graphs/image.onnx", b"new")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_an_error_that_says_so_and_keeps_the_old_one(own_bundle: Path) -> None:
    before = tree(own_bundle)
    with pytest.raises(BundleError, match="No space left") as caught:
        fill_the_disk(own_bundle)
    assert caught.value.fix is not None
    assert tree(own_bundle) == before
    assert names(own_bundle.parent) == [own_bundle.name]


def test_a_file_written_in_place_is_adopted_with_its_hash(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000  # more than one piece
    with new_bundle(tmp_path / "bundle") as writer:
        writer.path("graphs/x.onnx").write_bytes(content)
        assert writer.adopt("graphs/x.onnx") == writer.add("graphs/x.onnx", content)
        writer.path("manifest.json").write_text("{}")
