# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/Image <-> arrays, without cv_bridge: geometry is checked before any pixel is touched."""

from __future__ import annotations

import array
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import Image

from rvl_edge.errors import BadEncoding, BadShape

MAX_PIXELS = 2**26


@dataclass(frozen=True)
class Encoding:
    """Memory layout of one encoding of sensor_msgs/image_encodings."""

    dtype: np.dtype[Any]
    channels: int
    to_rgb: int | None = None  # OpenCV's conversion code, where one is needed
    columns: int = 1  # that share what cannot be divided: the width is a multiple


_U8, _U16, _F32 = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)
ENCODINGS = {
    "rgb8": Encoding(_U8, 3),
    "bgr8": Encoding(_U8, 3, cv2.COLOR_BGR2RGB),
    "rgba8": Encoding(_U8, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": Encoding(_U8, 4, cv2.COLOR_BGRA2RGB),
    "mono8": Encoding(_U8, 1),
    "8UC1": Encoding(_U8, 1),
    "mono16": Encoding(_U16, 1),
    "16UC1": Encoding(_U16, 1),
    "32FC1": Encoding(_F32, 1),
    "yuv422": Encoding(_U8, 2, cv2.COLOR_YUV2RGB_UYVY, 2),
    "uyvy": Encoding(_U8, 2, cv2.COLOR_YUV2RGB_UYVY, 2),
    "yuv422_yuy2": Encoding(_U8, 2, cv2.COLOR_YUV2RGB_YUY2, 2),
    "yuyv": Encoding(_U8, 2, cv2.COLOR_YUV2RGB_YUY2, 2),
    # Named by the first two rows, as OpenCV's four-letter codes are; its two-letter ones begin elsewhere.
    "bayer_rggb8": Encoding(_U8, 1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr8": Encoding(_U8, 1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg8": Encoding(_U8, 1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg8": Encoding(_U8, 1, cv2.COLOR_BayerGRBG2RGB),
}
_BY_LAYOUT = {(_U8, 3): "rgb8", (_U8, 1): "mono8", (_U16, 1): "16UC1", (_F32, 1): "32FC1"}
_DEPTH = ("16UC1", "mono16", "32FC1")  # mono16 is what some drivers call 16UC1


def decode(message: Image) -> npt.NDArray[Any]:
    """View a picture's pixels in the message's own memory.

    Args:
        message: in one of `ENCODINGS`, of either byte order, rows padded or not.

    Returns:
        (H, W) grey of uint8, uint16 or float32, or (H, W, 3) uint8 RGB. A view wherever no colour had to be
        worked out; 16-bit and float pixels keep the byte order of the message.

    Raises:
        BadEncoding: another encoding.
        BadShape: size, step and amount of data that disagree, no pixel, or more than `MAX_PIXELS`.
    """
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        raise BadEncoding(
            "this picture encoding is not read",
            got=repr(message.encoding[:40]),
            expected=", ".join(ENCODINGS),
            fix="republish it as rgb8 or, for thermal and depth cameras, 16UC1 or 32FC1",
        )
    _check_geometry(message, encoding)
    dtype = encoding.dtype.newbyteorder(">") if message.is_bigendian else encoding.dtype
    pixel = encoding.dtype.itemsize * encoding.channels
    pixels: npt.NDArray[Any] = np.ndarray(
        (message.height, message.width, encoding.channels),
        dtype,
        buffer=message.data,
        strides=(message.step, pixel, encoding.dtype.itemsize),
    )
    if encoding.to_rgb is not None:
        pixels = cv2.cvtColor(pixels, encoding.to_rgb)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def decode_colour(message: Image) -> npt.NDArray[np.uint8]:
    """Decode a picture for the colour encoders.

    Returns:
        (H, W) grey or (H, W, 3) RGB, uint8; mono16 is scaled from its full range.

    Raises:
        BadEncoding: as `decode`, or pixels that are measurements and no picture.
        BadShape: as `decode`.
    """
    if message.encoding in ("16UC1", "32FC1"):
        raise BadEncoding(
            "measurements are no colour picture",
            got=message.encoding,
            expected="rgb8, bgr8, rgba8, bgra8, mono8 or mono16",
            fix="remap a thermal camera to the thermal topic, a depth camera to the depth topic",
        )
    pixels = decode(message)
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def decode_depth(message: Image) -> npt.NDArray[Any]:
    """Decode a depth picture, as REP 118 has them.

    Returns:
        (H, W) uint16 millimetres or float32 metres, unless the camera means something else by them; a view.

    Raises:
        BadEncoding: pixels that are no distances.
        BadShape: as `decode`.
    """
    if message.encoding not in _DEPTH:
        raise BadEncoding(
            "a depth picture holds distances",
            got=repr(message.encoding[:40]),
            expected="16UC1 in millimetres or 32FC1 in metres",
            fix="remap depth to the camera's raw depth picture, not to a rendering or a disparity",
        )
    return decode(message)


def fill(message: Image, pixels: npt.NDArray[Any]) -> None:
    """Put pixels into a message, leaving its header alone.

    Args:
        message: what to fill; its memory is used again where the size has not changed.
        pixels: (H, W, 3) uint8 RGB, or (H, W) uint8, uint16 or float32, in this machine's byte order.

    Raises:
        BadEncoding: pixels of another type or number of channels.
    """
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    encoding = _BY_LAYOUT.get((pixels.dtype, channels))
    if encoding is None:
        raise BadEncoding(
            "no picture message takes these pixels",
            got=f"{channels} channels of {pixels.dtype}",
            expected="3 of uint8, or 1 of uint8, uint16 or float32",
        )
    message.height, message.width, message.encoding = height, width, encoding
    message.is_bigendian = 0
    message.step = width * channels * pixels.itemsize
    if len(message.data) != pixels.nbytes:
        message.data = array.array("B", bytes(pixels.nbytes))
    np.frombuffer(message.data, pixels.dtype).reshape(pixels.shape)[...] = pixels


def _check_geometry(message: Image, encoding: Encoding) -> None:
    height, width, step, size = message.height, message.width, message.step, len(message.data)
    row = width * encoding.channels * encoding.dtype.itemsize
    if not 0 < height * width <= MAX_PIXELS:
        raise BadShape(
            "a picture of this size is not read",
            got=f"{width} x {height}",
            expected=f"1 to {MAX_PIXELS} pixels",
            fix="check the camera's driver, or scale the picture down before it is published",
        )
    if width % encoding.columns:
        raise BadShape(
            "a picture ends inside a group of pixels",
            got=f"{width} columns of {message.encoding}",
            expected=f"a multiple of {encoding.columns}",
            fix="check the encoding that the camera's driver reports",
        )
    # A driver may leave out the padding of the last row.
    if step < row or not step * (height - 1) + row <= size <= step * height:
        raise BadShape(
            "a picture's size, step and data disagree",
            got=f"{width} x {height} {message.encoding} with step {step} and {size} bytes",
            expected=f"a step of at least {row} bytes, and height x step bytes",
            fix="check the encoding that the camera's driver reports",
        )
