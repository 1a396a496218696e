# SPDX-License-Identifier: Apache-2.0
"""Blur of pictures; see `tables.PictureTable` for the strengths."""

from __future__ import annotations

import cv2
import numpy as np

from rvl_edge.types import FloatArray


def defocus_blur(
    picture: FloatArray, strength: tuple[float, float], random: np.random.Generator
) -> FloatArray:
    """Out of focus: an anti-aliased disk."""
    del random
    radius, edge = strength
    reach = 8 if radius <= 8 else int(np.ceil(radius))
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = np.float32(row**2 + column**2 <= radius**2)
    size = 3 if radius <= 8 else 5
    kernel = cv2.GaussianBlur(disk / disk.sum(), (size, size), edge)
    blurred: FloatArray = cv2.filter2D(picture, -1, kernel)
    return blurred


def glass_blur(
    picture: FloatArray, strength: tuple[float, int, int], random: np.random.Generator
) -> FloatArray:
    """Frosted glass: every pixel shows one nearby, between two slight blurs.

    The paper swaps neighbours; its code, by which the published sets were made, overwrites one by the other.
    This does what the code does.
    """
    sigma, reach, passes = strength
    shown = gaussian_blur(picture, sigma, 4.0, cv2.BORDER_REPLICATE)
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[reach + 1 : height - reach + 1, reach + 1 : width - reach + 1]
    for down, across in random.integers(-reach, reach, (passes, 2, *rows.shape)):
        moved = shown.copy()
        moved[rows, columns] = shown[rows + down, columns + across]
        shown = moved
    return gaussian_blur(shown, sigma, 4.0, cv2.BORDER_REPLICATE)


def motion_blur(picture: FloatArray, strength: tuple[int, float], random: np.random.Generator) -> FloatArray:
    """A camera that moves: a smear in one direction, within 45 degrees of the horizontal."""
    return smear(picture, *strength, random.uniform(-45, 45))


def zoom_blur(picture: FloatArray, strength: tuple[float, float], random: np.random.Generator) -> FloatArray:
    """A camera that moves towards the scene: the mean of zooms."""
    del random
    largest, step = strength
    zooms = 1 + step * np.arange(round((largest - 1) / step) + 1)
    return np.asarray(np.mean([picture, *(zoom(picture, each) for each in zooms)], axis=0), np.float32)


def gaussian_blur(field: FloatArray, sigma: float, truncate: float, border: int) -> FloatArray:
    """SciPy's Gaussian filter by OpenCV: the kernel ends after `truncate` sigmas."""
    if sigma <= 0:
        return field
    size = 2 * int(truncate * sigma + 0.5) + 1
    blurred: FloatArray = cv2.GaussianBlur(field, (size, size), sigma, borderType=border)
    return blurred


def zoom(picture: FloatArray, factor: float) -> FloatArray:
    """Enlarge about the centre and cut to the old size, bilinearly."""
    height, width = picture.shape[:2]
    matrix = np.array(
        [[factor, 0, (1 - factor) * (width - 1) / 2], [0, factor, (1 - factor) * (height - 1) / 2]],
        np.float32,
    )
    enlarged: FloatArray = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return enlarged


def smear(picture: FloatArray, half: int, sigma: float, degrees: float) -> FloatArray:
    """Average along one direction with the weights of half a Gaussian, as ImageMagick's motion blur.

    Args:
        picture: (H, W) or (H, W, C).
        half: half the length, in pixels.
        sigma: of the weights along it, in pixels.
        degrees: direction from the horizontal.
    """
    steps = np.arange(2 * half + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    reach = len(steps)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    angle = np.deg2rad(degrees)
    x, y = reach + steps * np.cos(angle), reach + steps * np.sin(angle)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for right in (0, 1):
        for down in (0, 1):
            share = (1 - np.abs(x - left - right)) * (1 - np.abs(y - top - down))
            np.add.at(kernel, (top + down, left + right), weights * share)
    smeared: FloatArray = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return smeared
