# SPDX-License-Identifier: Apache-2.0
"""Caches of compiled kernels: shared by processes, trusted by their owner only, never worth a failure."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from rvl_edge.backends.tensorrt.cache import CacheFile


def _append(folder: Path, line: bytes) -> None:
    for _ in range(20):
        assert CacheFile("x", folder).update(lambda kept: (kept or b"") + line) is None


def test_updates_of_several_processes_are_all_kept(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append, args=(folder, b"%d\n" % at)) for at in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join(60)
    assert [each.exitcode for each in workers] == [0, 0, 0]
    kept = CacheFile("x", folder).read()
    assert kept is not None
    assert sorted(kept.split()) == [b"0"] * 20 + [b"1"] * 20 + [b"2"] * 20


def test_nothing_kept_yet_is_none(tmp_path: Path) -> None:
    assert CacheFile("x", tmp_path / "nothing").read() is None


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722])
def test_a_folder_that_others_may_write_to_is_neither_read_nor_written(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "cache"
    CacheFile("x", folder).update(lambda _: b"mine")
    folder.chmod(mode)
    assert CacheFile("x", folder).read() is None
    assert CacheFile("x", folder).update(lambda _: b"new") == "others may write to it"
    folder.chmod(0o700)
    assert CacheFile("x", folder).read() == b"mine"


def test_a_file_that_others_may_write_to_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    CacheFile("x", folder).update(lambda _: b"mine")
    (folder / "x").chmod(0o666)
    assert CacheFile("x", folder).read() is None


def test_a_place_that_cannot_be_written_to_is_a_reason_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    reason = CacheFile("x", tmp_path / "file" / "cache").update(lambda _: b"new")
    assert reason is not None
    assert "Not a directory" in reason


def test_what_a_merge_raises_leaves_the_old_content(tmp_path: Path) -> None:
    cache = CacheFile("x", tmp_path / "cache")
    cache.update(lambda _: b"old")

    def fail(_: bytes | None) -> bytes:
        raise ValueError("TensorRT cannot combine them")

    with pytest.raises(ValueError, match="combine"):
        cache.update(fail)
    assert cache.read() == b"old"
    assert cache.update(lambda kept: (kept or b"") + b", new") is None
    assert cache.read() == b"old, new"


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    cache = CacheFile("x")
    assert cache.read() is None
    assert cache.update(lambda _: b"new")
