# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rvl_edge.errors import BadEncoding
from rvl_edge.media import DepthSample, ImageSample, ThermalSample, read_sample


def noise(*shape: int, dtype: Any = np.uint8) -> npt.NDArray[Any]:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)


def write_picture(path: Path, pixels: npt.NDArray[Any], *options: int) -> Path:
    assert cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels, options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tiff", "a.webp", "without_a_suffix"])
def test_colour_picture_is_an_image_in_rgb(tmp_path: Path, name: str) -> None:
    rgb = noise(40, 50, 3)
    lossless = (cv2.IMWRITE_WEBP_QUALITY, 101) if name.endswith("webp") else ()
    written = write_picture(tmp_path / (name if "." in name else "a.png"), rgb, *lossless)
    sample = read_sample(written.rename(tmp_path / name))
    assert isinstance(sample, ImageSample)
    np.testing.assert_array_equal(sample.rgb, rgb)


def test_alpha_of_a_file_is_dropped(tmp_path: Path) -> None:
    rgba = noise(40, 50, 4)
    assert cv2.imwrite(str(tmp_path / "a.png"), rgba)
    sample = read_sample(tmp_path / "a.png")
    assert isinstance(sample, ImageSample)
    np.testing.assert_array_equal(sample.rgb, rgba[..., 2::-1])


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_is_thermal_and_an_image_on_demand(tmp_path: Path, suffix: str) -> None:
    counts = noise(40, 50, dtype=np.uint16)
    path = write_picture(tmp_path / f"a.{suffix}", counts)
    sample = read_sample(path)
    assert isinstance(sample, ThermalSample)
    np.testing.assert_array_equal(sample.counts, counts)
    image = read_sample(path, "image")
    assert isinstance(image, ImageSample)
    np.testing.assert_array_equal(image.rgb, np.rint(counts / 65535 * 255))


@pytest.mark.parametrize("suffix", ["png", "tiff", "npy"])
def test_depth_is_read_on_demand_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    millimetres = noise(40, 50, dtype=np.uint16)
    path = tmp_path / f"a.{suffix}"
    if suffix == "npy":
        np.save(path, millimetres)
    else:
        write_picture(path, millimetres)
    sample = read_sample(path, "depth")
    assert isinstance(sample, DepthSample)
    np.testing.assert_array_equal(sample.depth, millimetres)


def test_8_bit_grey_is_an_image_and_thermal_on_demand(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", noise(40, 50))
    assert isinstance(read_sample(path), ImageSample)
    thermal = read_sample(path, "thermal")
    assert isinstance(thermal, ThermalSample)
    assert thermal.counts.dtype == np.uint8


def test_float_tiff_is_thermal_and_no_image(tmp_path: Path) -> None:
    kelvin = np.linspace(280, 320, 2000, dtype=np.float32).reshape(40, 50)
    path = write_picture(tmp_path / "a.tiff", kelvin)
    sample = read_sample(path)
    assert isinstance(sample, ThermalSample)
    np.testing.assert_array_equal(sample.counts, kelvin)
    with pytest.raises(BadEncoding, match="no white"):
        read_sample(path, "image")


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.jpg", np.full((16, 32, 3), 128, np.uint8))
    data = path.read_bytes()
    turned = bytes.fromhex("45786966000049492a00080000000100120103000100000006000000" + "00000000")
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(turned) + 2).to_bytes(2, "big") + turned + data[2:])
    sample = read_sample(path)
    assert isinstance(sample, ImageSample)
    assert sample.rgb.shape == (32, 16, 3)


def test_chunk_longer_than_the_file_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", noise(12, 10, 3))
    data = bytearray(path.read_bytes())
    data[33:37] = b"\xf7\xff\x00\x01"
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadEncoding):
        read_sample(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "bmp"])
def test_truncated_picture_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write_picture(tmp_path / f"a.{suffix}", noise(100, 100, 3))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadEncoding):
        read_sample(path)


@pytest.mark.parametrize("kept", [0.99, 0.5, 0.1])
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_truncated_depth_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    path = write_picture(tmp_path / f"a.{suffix}", noise(100, 100, dtype=np.uint16))
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(BadEncoding):
        read_sample(path, "depth")
