# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import array
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pictures = pytest.importorskip("rvl_edge_ros.pictures", reason="needs ROS 2; see docs/ros.md")

from rvl_edge_ros.pictures import decode, decode_colour, decode_depth, fill
from sensor_msgs.msg import Image

from rvl_edge.errors import BadEncoding, BadShape, InputError

pytestmark = pytest.mark.ros

LAYOUT = {  # struct code, channels, where R, G, B are
    "rgb8": ("B", 3, (0, 1, 2)),
    "bgr8": ("B", 3, (2, 1, 0)),
    "rgba8": ("B", 4, (0, 1, 2)),
    "bgra8": ("B", 4, (2, 1, 0)),
    "mono8": ("B", 1, None),
    "8UC1": ("B", 1, None),
    "mono16": ("H", 1, None),
    "16UC1": ("H", 1, None),
    "32FC1": ("f", 1, None),
}


def packed(encoding: str, height: int, width: int, padding: int, big: bool) -> tuple[Image, np.ndarray]:
    """A message written number by number with `struct`, and the pixels that must come back."""
    code, channels, order = LAYOUT[encoding]
    random = np.random.default_rng(height * 1000 + width)
    numbers = random.integers(0, 256 if code == "B" else 60000, (height, width, channels))
    rows = [struct.pack(f"{'>' if big else '<'}{width * channels}{code}", *row.ravel()) for row in numbers]
    message = Image(height=height, width=width, encoding=encoding, is_bigendian=int(big))
    message.step = len(rows[0]) + padding
    message.data = array.array("B", b"".join(row + bytes(padding) for row in rows))
    return message, numbers[..., 0] if order is None else numbers[..., order]


@pytest.mark.parametrize("encoding", LAYOUT)
@pytest.mark.parametrize("padding", [0, 1, 7])
@pytest.mark.parametrize("big", [False, True])
def test_pixels_come_back_as_struct_wrote_them(encoding: str, padding: int, big: bool) -> None:
    message, expected = packed(encoding, 5, 7, padding, big)
    np.testing.assert_array_equal(decode(message), expected)


def ramps(height: int, width: int) -> np.ndarray:
    """A picture whose colours differ and change linearly, which interpolation gives back."""
    y, x = np.mgrid[:height, :width]
    return np.stack([150 + 4 * x, 80 + 5 * y, 10 + 2 * x + 3 * y], axis=-1)


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_mosaic_gives_back_the_picture_it_was_made_from(pattern: str, padding: int) -> None:
    picture = ramps(13, 18)
    mosaic = np.zeros((13, 18 + padding), np.uint8)
    for at, colour in enumerate(pattern):
        row, column = divmod(at, 2)
        mosaic[row::2, column:18:2] = picture[row::2, column::2, "rgb".index(colour)]
    message = Image(height=13, width=18, encoding=f"bayer_{pattern}8", step=18 + padding)
    message.data = array.array("B", mosaic.tobytes())
    inner = decode_colour(message)[1:-1, 1:-1]
    np.testing.assert_allclose(inner, picture[1:-1, 1:-1], atol=1)


@pytest.mark.parametrize(
    ("encoding", "order"), [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")]
)
@pytest.mark.parametrize("padding", [0, 5])
def test_luma_and_chroma_become_the_colours_of_bt_601(encoding: str, order: str, padding: int) -> None:
    random = np.random.default_rng(3)
    luma = random.integers(60, 180, (4, 6))
    u, v = np.repeat(random.integers(100, 156, (2, 4, 3)), 2, axis=-1)
    rows = np.zeros((4, 12 + padding), np.uint8)
    rows[:, order.index("u") : 12 : 4] = u[:, ::2]
    rows[:, order.index("v") : 12 : 4] = v[:, ::2]
    rows[:, order.index("y") : 12 : 2] = luma
    message = Image(height=4, width=6, encoding=encoding, step=12 + padding)
    message.data = array.array("B", rows.tobytes())
    grey, blue, red = 255 / 219 * (luma - 16), (u - 128) * 255 / 224, (v - 128) * 255 / 224
    expected = [grey + 1.402 * red, grey - 0.344136 * blue - 0.714136 * red, grey + 1.772 * blue]
    np.testing.assert_allclose(decode_colour(message), np.stack(expected, axis=-1), atol=2)


def test_chroma_of_half_a_pair_is_refused() -> None:
    message = Image(height=2, width=3, encoding="yuv422_yuy2", step=6, data=bytes(12))
    with pytest.raises(BadShape, match="a multiple of 2"):
        decode(message)


def test_padding_of_the_last_row_may_be_missing() -> None:
    message, expected = packed("rgb8", 4, 3, 5, False)
    message.data = message.data[:-5]
    np.testing.assert_array_equal(decode(message), expected)


def test_a_view_is_not_a_copy() -> None:
    message, _ = packed("rgb8", 4, 3, 0, False)
    pixels = decode(message)
    message.data[0] ^= 255
    assert pixels[0, 0, 0] == message.data[0]


def test_mono16_is_scaled_to_8_bits_for_colour() -> None:
    message, expected = packed("mono16", 4, 3, 0, True)
    np.testing.assert_array_equal(decode_colour(message), expected // 256)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_measurements_are_no_colour_picture(encoding: str) -> None:
    message, _ = packed(encoding, 4, 3, 0, False)
    with pytest.raises(BadEncoding, match="thermal topic"):
        decode_colour(message)


@pytest.mark.parametrize("encoding", ["16UC1", "mono16", "32FC1"])
@pytest.mark.parametrize("big", [False, True])
def test_distances_come_back_as_the_camera_sent_them(encoding: str, big: bool) -> None:
    message, expected = packed(encoding, 4, 3, 2, big)
    np.testing.assert_array_equal(decode_depth(message), expected)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1", "rgb8", "bgra8", "16UC1; compressedDepth png", ""])
def test_what_is_no_distance_is_no_depth_picture(encoding: str) -> None:
    message, _ = packed(encoding if encoding in LAYOUT else "16UC1", 4, 3, 0, False)
    message.encoding = encoding
    with pytest.raises(BadEncoding, match="16UC1 in millimetres or 32FC1 in metres"):
        decode_depth(message)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 5)), np.zeros((4, 5), np.int16), np.zeros((4, 5, 4), np.uint8)]
)
def test_pixels_that_no_message_takes_are_refused_and_leave_it_alone(pixels: np.ndarray) -> None:
    message = Image(encoding="rgb8", height=7)
    with pytest.raises(BadEncoding, match=str(pixels.dtype)):
        fill(message, pixels)
    assert (message.encoding, message.height) == ("rgb8", 7)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"encoding": "nv21"}, BadEncoding),
        ({"encoding": ""}, BadEncoding),
        ({"height": 0}, BadShape),
        ({"width": 0}, BadShape),
        ({"height": 5}, BadShape),
        ({"width": 4}, BadShape),
        ({"step": 8}, BadShape),
        ({"step": 0}, BadShape),
        ({"step": 2**31}, BadShape),
        ({"height": 2**32 - 1, "width": 2**32 - 1}, BadShape),
        ({"data": array.array("B")}, BadShape),
        ({"data": array.array("B", bytes(37))}, BadShape),
    ],
)
def test_what_disagrees_is_refused_with_what_came_and_what_should_have(
    change: dict[str, object], error: type[InputError]
) -> None:
    message, _ = packed("rgb8", 4, 3, 0, False)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(error) as caught:
        decode(message)
    assert "got" in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize(
    "pixels",
    [
        np.arange(60, dtype=np.uint8).reshape(4, 5, 3),
        np.arange(20, dtype=np.uint8).reshape(4, 5),
        np.arange(20, dtype=np.uint16).reshape(4, 5) * 1000,
        np.linspace(-1, 400, 20, dtype=np.float32).reshape(4, 5),
        np.arange(120, dtype=np.uint8).reshape(4, 10, 3)[:, ::-2],
    ],
)
def test_what_is_filled_in_comes_out_and_nothing_of_an_earlier_fill(
    pixels: np.ndarray,
) -> None:
    message = Image()
    fill(message, np.full_like(pixels, 7))
    memory = message.data
    fill(message, pixels)
    assert message.data is memory
    np.testing.assert_array_equal(decode(message), pixels)


sizes = st.integers(0, 9) | st.sampled_from([2**16, 2**31, 2**32 - 1])
messages = st.builds(
    Image,
    encoding=st.sampled_from([*pictures.ENCODINGS, "rgb16", "bayer_rggb16", ""]),
    height=sizes,
    width=sizes,
    step=st.integers(0, 40) | sizes,
    is_bigendian=st.integers(0, 1),
    data=st.binary(max_size=400).map(lambda data: array.array("B", data)),
)


@settings(max_examples=2000, deadline=None)
@given(messages)
def test_any_message_gives_its_picture_or_an_input_error(message: Image) -> None:
    try:
        pixels = decode(message)
    except InputError:
        return
    assert pixels.shape[:2] == (message.height, message.width)
    assert pixels.nbytes <= 3 * len(message.data)  # a mosaic has one number a pixel
