# SPDX-License-Identifier: Apache-2.0
"""The timing cache through TensorRT's own objects; without a GPU they hold no timings, but read and write."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvl_edge.bundle.engines import Machine
from rvl_edge.offline.building.timing_cache import TimingCache

trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*TensorRT-RTX:DeprecationWarning"
)  # it keeps no timings itself
MACHINE = Machine("tensorrt", "10.3.0", "8.7", "Orin / 64 GB")


def cache(folder: Path) -> TimingCache:
    builder = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    return TimingCache(trt, builder.create_builder_config(), MACHINE, folder)


def kept(folder: Path) -> Path:
    (found,) = folder.glob("*.timings")
    return found


def test_it_is_kept_by_release_and_gpu(tmp_path: Path) -> None:
    assert cache(tmp_path / "cache").keep() is None
    assert kept(tmp_path / "cache").name == "10.3.0-8.7-Orin---64-GB.timings"
    assert kept(tmp_path / "cache").stat().st_size > 0
    assert cache(tmp_path / "cache").keep() is None


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(4096)])
def test_a_damaged_one_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    cache(tmp_path / "cache").keep()
    kept(tmp_path / "cache").write_bytes(content)
    assert cache(tmp_path / "cache").keep() is None
    assert kept(tmp_path / "cache").read_bytes() != content


def test_one_that_cannot_be_kept_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Not a directory" in (cache(tmp_path / "file" / "cache").keep() or "")
