# SPDX-License-Identifier: Apache-2.0
"""What every loader returns: samples in memory with their classes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt


class Part(str, Enum):
    """Part of a set. Settings are chosen on `VALIDATION`, which is cut from the training part."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, eq=False)
class Samples:
    """N labelled samples.

    Attributes:
        data: pictures (N, H, W, 3) or (N, H, W) uint8, or sounds (N, samples) float32 with full scale 1.
        labels: (N,) int64, index into `classes`.
        classes: names, as the label sets of `calibration/labels` spell them.
        sample_rate: Hz, of sounds; 0 otherwise.
    """

    data: npt.NDArray[np.uint8] | npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    sample_rate: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: npt.NDArray[np.int64] | slice) -> Samples:
        """A part of the samples."""
        return Samples(self.data[index], self.labels[index], self.classes, self.sample_rate)


def shuffled_cut(samples: Samples, groups: npt.NDArray[np.int64], part: Part) -> Samples:
    """Cut a tenth of the groups off as `VALIDATION`; what is left is `TRAIN`.

    Args:
        samples: the training part.
        groups: (N,) what must not be torn apart, such as the frame a chip is from.
        part: which side of the cut.
    """
    numbers = np.unique(groups)
    np.random.default_rng(0).shuffle(numbers)
    inside = np.isin(groups, numbers[: max(1, len(numbers) // 10)])
    return samples.take(np.flatnonzero(inside if part is Part.VALIDATION else ~inside))


def joined(first: Samples, second: Samples) -> Samples:
    """Two parts of one set as one."""
    return Samples(
        np.concatenate([first.data, second.data]),
        np.concatenate([first.labels, second.labels]),
        first.classes,
        first.sample_rate,
    )
