# SPDX-License-Identifier: Apache-2.0
"""Strengths of the picture corruptions of ImageNet-C and CIFAR-10-C, as those sets were made.

Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions and
perturbations", ICLR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Five = tuple[T, T, T, T, T]


@dataclass(frozen=True)
class PictureTable:
    """Five strengths of each corruption; lengths are pixels of pictures of `side`, intensities parts of 1.

    Attributes:
        side: of the pictures that the table was made for.
        gaussian_noise: standard deviation.
        shot_noise: photons of full scale.
        impulse_noise: part of the values that become black or white.
        defocus_blur: radius of the disk, sigma of its edge.
        glass_blur: sigma, largest displacement, passes.
        motion_blur: half length, sigma along it.
        zoom_blur: largest zoom, step from 1.
        snow: mean and sigma of the flakes' field, zoom, threshold, half length and sigma of their motion,
            part of the picture that is left.
        frost: part of the picture, part of the frost.
        fog: thickness, decay of detail.
        brightness: added to the value.
        contrast: part that is left.
        elastic_transform: amplitude, smoothness and affine shift.
        pixelate: part of the resolution that is left.
        jpeg_compression: quality.
    """

    side: int
    gaussian_noise: Five[float]
    shot_noise: Five[float]
    impulse_noise: Five[float]
    defocus_blur: Five[tuple[float, float]]
    glass_blur: Five[tuple[float, int, int]]
    motion_blur: Five[tuple[int, float]]
    zoom_blur: Five[tuple[float, float]]
    snow: Five[tuple[float, float, float, float, int, float, float]]
    frost: Five[tuple[float, float]]
    fog: Five[tuple[float, float]]
    brightness: Five[float]
    contrast: Five[float]
    elastic_transform: Five[tuple[float, float, float]]
    pixelate: Five[float]
    jpeg_compression: Five[int]


CIFAR_C = PictureTable(
    side=32,
    gaussian_noise=(0.04, 0.06, 0.08, 0.09, 0.10),
    shot_noise=(500, 250, 100, 75, 50),
    impulse_noise=(0.01, 0.02, 0.03, 0.05, 0.07),
    defocus_blur=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    glass_blur=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    motion_blur=((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    zoom_blur=((1.05, 0.01), (1.10, 0.01), (1.15, 0.01), (1.20, 0.01), (1.25, 0.01)),
    snow=(
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    frost=((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    fog=((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    brightness=(0.05, 0.1, 0.15, 0.2, 0.3),
    contrast=(0.75, 0.5, 0.4, 0.3, 0.15),
    elastic_transform=(
        (0, 0, 2.56),
        (1.6, 6.4, 2.24),
        (2.56, 1.92, 1.92),
        (3.2, 1.28, 1.6),
        (3.2, 0.96, 0.96),
    ),
    pixelate=(0.95, 0.9, 0.85, 0.75, 0.65),
    jpeg_compression=(80, 65, 58, 50, 40),
)

IMAGENET_C = PictureTable(
    side=224,
    gaussian_noise=(0.08, 0.12, 0.18, 0.26, 0.38),
    shot_noise=(60, 25, 12, 5, 3),
    impulse_noise=(0.03, 0.06, 0.09, 0.17, 0.27),
    defocus_blur=((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    glass_blur=((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    motion_blur=((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    zoom_blur=((1.10, 0.01), (1.15, 0.01), (1.20, 0.02), (1.24, 0.02), (1.30, 0.03)),
    snow=(
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
    frost=((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    fog=((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    brightness=(0.1, 0.2, 0.3, 0.4, 0.5),
    contrast=(0.4, 0.3, 0.2, 0.1, 0.05),
    elastic_transform=(
        (488, 170.8, 24.4),
        (488, 19.52, 48.8),
        (12.2, 2.44, 4.88),
        (17.08, 2.44, 4.88),
        (29.28, 2.44, 4.88),
    ),
    pixelate=(0.6, 0.5, 0.4, 0.3, 0.25),
    jpeg_compression=(25, 18, 15, 10, 7),
)


def table_for(side: int) -> PictureTable:
    """The table whose pictures are nearest in size to pictures of a short side of `side` pixels."""
    return CIFAR_C if side * side < CIFAR_C.side * IMAGENET_C.side else IMAGENET_C
