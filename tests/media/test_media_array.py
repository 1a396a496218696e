# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rvl_edge.errors import BadEncoding, BadShape
from rvl_edge.media import ImageSample, ThermalSample, VideoSample, raw_frames, read_sample


@pytest.mark.parametrize(
    ("shape", "dtype", "kind"),
    [
        ((9, 8), np.uint16, ThermalSample),
        ((9, 8, 1), np.float32, ThermalSample),
        ((9, 8), np.uint8, ImageSample),
        ((9, 8, 3), np.uint8, ImageSample),
        ((4, 9, 8, 3), np.uint8, VideoSample),
    ],
)
def test_arrays_are_told_apart_by_shape_and_type(tmp_path: Path, shape: Any, dtype: Any, kind: type) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, dtype))
    assert isinstance(read_sample(tmp_path / "a.npy"), kind)


def test_array_of_unknown_rate_is_no_sound(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(16000, np.float32))
    with pytest.raises(BadShape, match="as wav"):
        read_sample(tmp_path / "a.npy")


def test_pickled_array_is_refused_and_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    np.save(tmp_path / "a.npy", np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(BadEncoding, match="allow_pickle=False"):
        read_sample(tmp_path / "a.npy")
    assert not (tmp_path / "ran").exists()


def test_array_header_larger_than_the_file_takes_no_memory(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
    )
    (tmp_path / "a.npy").write_bytes(header.getvalue() + bytes(64))
    with pytest.raises(BadEncoding):
        read_sample(tmp_path / "a.npy")


def test_thermal_stack_is_mapped_frame_by_frame(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 65536, (5, 9, 8), np.uint16)
    np.save(tmp_path / "a.npy", stack)
    frames = raw_frames(tmp_path / "a.npy")
    np.testing.assert_array_equal(frames, stack)
    assert all(isinstance(frame.base, np.memmap) for frame in frames)


def test_thermal_picture_is_a_stack_of_one(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 65536, (9, 8), np.uint16)
    assert cv2.imwrite(str(tmp_path / "a.png"), picture)
    np.testing.assert_array_equal(raw_frames(tmp_path / "a.png"), picture[None])
