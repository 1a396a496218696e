# SPDX-License-Identifier: Apache-2.0
"""Whether confidences can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 15  # Guo et al. 2017


@dataclass(frozen=True)
class Bin:
    """Answers of about one confidence.

    Attributes:
        confidence: their mean, in [0, 1].
        accuracy: how many of them were right, in [0, 1].
        share: of all answers, in [0, 1].
    """

    confidence: float
    accuracy: float
    share: float


@dataclass(frozen=True)
class Calibration:
    """Bins by rising confidence; empty ones are left out."""

    bins: tuple[Bin, ...]

    @property
    def error(self) -> float:
        """Expected calibration error, in [0, 1]: mean of |accuracy - confidence|, weighted by share."""
        return sum(each.share * abs(each.accuracy - each.confidence) for each in self.bins)


def equal_width(
    confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], bins: int = BINS
) -> Calibration:
    """Bins of equal width over [0, 1], each with its upper border (Guo et al. 2017, eq. 3).

    Args:
        confidences: (N,) probability of the answer.
        right: (N,) whether it was right.
        bins: how many.
    """
    place = np.clip(np.ceil(confidences.astype(np.float64) * bins) - 1, 0, bins - 1)
    return _binned(confidences, right, place.astype(np.int64), bins)


def equal_mass(
    confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], bins: int = BINS
) -> Calibration:
    """Bins of equally many answers (Nguyen & O'Connor 2015), which no empty or thin bin makes noisy."""
    order = np.argsort(confidences, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) * bins // len(order)
    return _binned(confidences, right, place, bins)


def _binned(
    confidences: npt.NDArray[np.floating],
    right: npt.NDArray[np.bool_],
    place: npt.NDArray[np.int64],
    bins: int,
) -> Calibration:
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, confidences.astype(np.float64), bins)
    hits = np.bincount(place, right, bins)
    return Calibration(
        tuple(
            Bin(float(total / count), float(hit / count), float(count / len(place)))
            for count, total, hit in zip(counts, sums, hits, strict=True)
            if count
        )
    )
