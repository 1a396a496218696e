# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest

from rvl_edge.errors import BadDtype, BadShape
from rvl_edge.preprocess import ImageSpec, preprocess_image

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def spec(size: int = 32, **changes: object) -> ImageSpec:
    return ImageSpec.model_validate({"size": size, "mean": MEAN, "std": STD, **changes})


def noise(*shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def torchvision_reference(rgb: npt.NDArray[np.uint8], spec: ImageSpec) -> npt.NDArray[np.float64]:
    torch = pytest.importorskip("torch", reason="torchvision is the oracle")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    picture = torch.from_numpy(rgb.copy()).permute(2, 0, 1).double() / 255
    mode = pytest.importorskip("torchvision.transforms").InterpolationMode(spec.interpolation)
    picture = functional.resize(picture, spec.size, interpolation=mode, antialias=spec.antialias)
    picture = functional.center_crop(picture, [spec.size, spec.size])
    return functional.normalize(picture, spec.mean, spec.std).numpy()


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [32, 224])
@pytest.mark.parametrize(
    "shape", [(480, 640), (640, 480), (101, 100), (224, 224), (33, 47), (7, 900), (1, 1), (1080, 1921)]
)
def test_equals_torchvision_on_float64(
    shape: tuple[int, int], size: int, interpolation: str, antialias: bool
) -> None:
    numbers = spec(size, interpolation=interpolation, antialias=antialias)
    rgb = noise(*shape, 3)
    got = preprocess_image(rgb, numbers)
    assert got.shape == (3, size, size)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    # Without antialiasing the kernel's place is rounded to float32; noise changes by up to 6 a pixel.
    atol = 1e-5 if antialias else 1e-5 + 6 * np.spacing(np.float32(max(shape)))
    np.testing.assert_allclose(got, torchvision_reference(rgb, numbers), rtol=0, atol=atol)


@pytest.mark.parametrize(
    "view",
    [
        lambda rgb: rgb[::-1],
        lambda rgb: rgb[:, ::-1],
        lambda rgb: rgb[..., ::-1],
        lambda rgb: rgb[::2, 1::3],
        np.asfortranarray,
        lambda rgb: np.broadcast_to(rgb[:1, :1], rgb.shape),
        lambda rgb: rgb.transpose(1, 0, 2),
    ],
)
def test_strides_do_not_matter(view: object) -> None:
    picture = view(noise(61, 83, 3))  # type: ignore[operator]
    np.testing.assert_array_equal(
        preprocess_image(picture, spec()), preprocess_image(np.ascontiguousarray(picture), spec())
    )


def test_read_only_picture_is_read_and_left_as_it_was() -> None:
    rgb = noise(40, 50, 3)
    before = rgb.copy()
    rgb.setflags(write=False)
    preprocess_image(rgb, spec())
    np.testing.assert_array_equal(rgb, before)


def test_alpha_is_dropped() -> None:
    rgba = noise(50, 60, 4)
    np.testing.assert_array_equal(preprocess_image(rgba, spec()), preprocess_image(rgba[..., :3], spec()))


@pytest.mark.parametrize("axes", [(), (1,)])
def test_grey_equals_three_equal_channels(axes: tuple[int, ...]) -> None:
    grey = noise(50, 60, *axes)
    colour = np.repeat(grey.reshape(50, 60, 1), 3, axis=2)
    np.testing.assert_allclose(
        preprocess_image(grey, spec()), preprocess_image(colour, spec()), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("shape", [(1, 20_000), (20_000, 2), (9, 9), (300, 17)])
def test_constant_picture_stays_constant(shape: tuple[int, int], interpolation: str, antialias: bool) -> None:
    numbers = spec(interpolation=interpolation, antialias=antialias, mean=(0, 0, 0), std=(1, 1, 1))
    got = preprocess_image(np.full(shape, 51, np.uint8), numbers)
    np.testing.assert_allclose(got, 0.2, rtol=0, atol=1e-6)


def test_only_the_centre_of_a_long_picture_counts() -> None:
    rgb = noise(64, 4000, 3)
    changed = rgb.copy()
    changed[:, :1900] = 0
    changed[:, 2100:] = 0
    np.testing.assert_array_equal(preprocess_image(rgb, spec()), preprocess_image(changed, spec()))


def test_memory_stays_small_beside_a_huge_picture() -> None:
    rgb = np.broadcast_to(np.uint8(7), (8_000, 8_000, 3))  # 192 MB without being stored
    tracemalloc.start()
    preprocess_image(rgb, spec(224))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.15 * rgb.size


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.float32, np.bool_])
def test_other_dtypes_are_refused(dtype: type) -> None:
    with pytest.raises(BadDtype, match=f"got {np.dtype(dtype)}, expected a uint8 array"):
        preprocess_image(np.zeros((9, 9, 3), dtype), spec())


def test_what_is_no_array_is_refused() -> None:
    with pytest.raises(BadDtype, match="got list"):
        preprocess_image([[0]], spec())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "shape", [(), (9,), (9, 9, 2), (3, 9, 9), (1, 9, 9, 3), (0, 9, 3), (9, 0, 3), (9, 9, 0)]
)
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadShape, match="at least one pixel"):
        preprocess_image(np.zeros(shape, np.uint8), spec())
