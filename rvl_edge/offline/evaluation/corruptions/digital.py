# SPDX-License-Identifier: Apache-2.0
"""What cameras and links do to pictures; see `tables.PictureTable` for the strengths."""

from __future__ import annotations

import cv2
import numpy as np

from rvl_edge.offline.evaluation.corruptions.blur import gaussian_blur
from rvl_edge.types import FloatArray


def contrast(picture: FloatArray, left: float, random: np.random.Generator) -> FloatArray:
    """Less contrast about each channel's mean."""
    del random
    mean = picture.mean(axis=(0, 1), keepdims=True)
    return np.asarray((picture - mean) * left + mean, np.float32)


def elastic_transform(
    picture: FloatArray, strength: tuple[float, float, float], random: np.random.Generator
) -> FloatArray:
    """A small random affine map, then a smooth random displacement of every pixel (Simard et al. 2003)."""
    amplitude, smoothness, shift = strength
    height, width = picture.shape[:2]
    middle, third = np.array([height, width], np.float32) // 2, min(height, width) // 3
    corners = np.array([middle + third, [middle[0] + third, middle[1] - third], middle - third], np.float32)
    moved = corners + random.uniform(-shift, shift, corners.shape).astype(np.float32)
    matrix = cv2.getAffineTransform(corners, moved)
    turned = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    noise = random.uniform(-1, 1, (2, height, width)).astype(np.float32)
    across, down = (amplitude * gaussian_blur(each, smoothness, 3.0, cv2.BORDER_REFLECT) for each in noise)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    bent: FloatArray = cv2.remap(
        turned, columns + across, rows + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return bent


def pixelate(picture: FloatArray, part: float, random: np.random.Generator) -> FloatArray:
    """Too low a resolution, enlarged without smoothing."""
    del random
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (int(width * part), int(height * part)), interpolation=cv2.INTER_AREA)
    large: FloatArray = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return large


def jpeg_compression(picture: FloatArray, quality: int, random: np.random.Generator) -> FloatArray:
    """JPEG and back."""
    del random
    bgr = np.round(picture[..., ::-1] * 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.float32)
    return np.asarray(decoded[..., ::-1] / 255, np.float32)
