# SPDX-License-Identifier: Apache-2.0
"""Pictures of every colour model become what Pillow makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rvl_edge.errors import BadDtype, BadShape
from rvl_edge.media import ImageSample, read_sample
from rvl_edge.perceiver import Perceiver
from rvl_edge.preprocess import ImageSpec, preprocess_image

pillow = pytest.importorskip("PIL.Image", reason="the oracle")

SPEC = ImageSpec(size=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def scene() -> npt.NDArray[np.uint8]:
    """Smooth colours, so that lossy files are close."""
    rows, columns = np.mgrid[0:40, 0:60]
    planes = [4 * columns, 6 * rows, 255 - 3 * rows - 2 * columns]
    return np.clip(np.stack(planes, axis=2), 0, 255).astype(np.uint8)


def rgb_of(sample: Any) -> npt.NDArray[np.uint8]:
    assert isinstance(sample, ImageSample)
    grey = sample.rgb.ndim == 2
    return np.repeat(sample.rgb[..., None], 3, axis=2) if grey else sample.rgb


@pytest.mark.parametrize(
    ("mode", "name", "options", "atol"),
    [
        ("L", "grey.png", {}, 0),
        ("1", "black and white.png", {}, 0),
        ("LA", "grey with alpha.png", {}, 0),
        ("RGBA", "alpha.png", {}, 0),
        ("P", "palette.png", {}, 0),
        ("P", "see-through palette.png", {"transparency": 3}, 0),
        ("P", "palette.tiff", {}, 0),
        ("CMYK", "cmyk.tiff", {}, 1),
        ("CMYK", "cmyk.jpg", {"quality": 95}, 2),
        ("L", "grey.jpg", {"quality": 95}, 2),
        ("RGB", "progressive.jpg", {"quality": 95, "progressive": True}, 2),
    ],
)
def test_colours_are_those_of_the_file(
    tmp_path: Path, mode: str, name: str, options: dict[str, Any], atol: int
) -> None:
    pillow.fromarray(scene()).convert(mode).save(tmp_path / name, **options)
    want = np.asarray(pillow.open(tmp_path / name).convert("RGB")).astype(int)
    got = rgb_of(read_sample(tmp_path / name))
    np.testing.assert_allclose(got.astype(int), want, rtol=0, atol=atol)
    assert preprocess_image(got, SPEC).shape == (3, 32, 32)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_colours_are_rounded_to_8(tmp_path: Path, suffix: str, channels: int) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 60, channels), np.uint16)
    assert cv2.imwrite(str(tmp_path / f"a.{suffix}"), deep[..., [2, 1, 0, 3][:channels]])
    got = rgb_of(read_sample(tmp_path / f"a.{suffix}"))
    np.testing.assert_array_equal(got, np.rint(deep[..., :3] / 65535 * 255))


@pytest.mark.parametrize(
    ("pixels", "error", "message"),
    [
        (np.full((40, 60), 9, np.uint8), BadDtype, "8 bits are a rendering"),
        (np.full((40, 60, 3), 9, np.uint16), BadShape, "not a coloured rendering"),
    ],
)
def test_renderings_are_no_depth(
    tmp_path: Path, tiny_bundle: Path, pixels: npt.NDArray[Any], error: type[Exception], message: str
) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), pixels)
    sample = read_sample(tmp_path / "a.png", "depth")
    with Perceiver.open(tiny_bundle) as perceiver, pytest.raises(error, match=message):
        perceiver.depth(sample.depth)
