# SPDX-License-Identifier: Apache-2.0
"""Picture files, by OpenCV: PNG, JPEG, TIFF, WebP, BMP and what else it was built with."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadEncoding


def is_picture(path: Path) -> bool:
    """Whether the file begins like a picture that OpenCV can read."""
    return bool(cv2.haveImageReader(str(path)))


def read_picture(path: Path) -> npt.NDArray[Any]:
    """Decode the first picture of a file, upright, at its own depth, without alpha.

    Returns:
        (H, W, 3) RGB or (H, W) grey; uint8, uint16 or float32.

    Raises:
        BadEncoding: damaged, truncated or too large to decode.
    """
    data = path.read_bytes()
    picture = None
    if not (_is_cut_jpeg(data) or _is_cut_png(data)):
        flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
        with suppress(cv2.error):
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if picture is None:
        raise BadEncoding(
            "a picture is damaged, too large or ends early",
            got=path,
            expected="a whole file",
            fix="copy it again",
        )
    pixels: npt.NDArray[Any] = picture
    return pixels[..., ::-1] if pixels.ndim == 3 else pixels


def _is_cut_jpeg(data: bytes) -> bool:
    """Whether a JPEG lacks its end: OpenCV would paint the rest grey and say nothing.

    The end is looked for after the headers, since a thumbnail in them has an end of its own.
    """
    at = 2
    while data[:2] == b"\xff\xd8" and data[at : at + 1] == b"\xff":
        if data[at + 1 : at + 2] == b"\xda":
            return b"\xff\xd9" not in data[at:]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _is_cut_png(data: bytes) -> bool:
    """Whether a chunk of a PNG reaches past its end: OpenCV would allocate what a bad length asks for."""
    at = 8
    while data[:4] == b"\x89PNG" and data[at + 4 : at + 8] != b"IEND":
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        if at > len(data):
            return True
    return False


def to_8_bit(picture: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Scale a 16-bit picture to 8 bits by its full scale; an 8-bit one passes.

    Raises:
        BadEncoding: float pixels, whose white is unknown.
    """
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype == np.uint16:
        scaled: npt.NDArray[np.uint8] = np.rint(picture / np.float32(257)).astype(np.uint8)
        return scaled
    raise BadEncoding(
        "pixels of this type have no white to scale by",
        got=picture.dtype,
        expected="uint8 or uint16",
        fix="read the file as thermal or depth, or convert it to 8 bits",
    )
