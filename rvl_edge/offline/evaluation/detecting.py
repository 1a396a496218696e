# SPDX-License-Identifier: Apache-2.0
"""How well a statistic tells faults and attacks from clean samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rvl_edge.offline.calibration.measuring import auroc
from rvl_edge.offline.evaluation.wilson import Proportion, proportion

_DRAWS = 500

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Area:
    """Area under the ROC curve with its 95 % bootstrap interval, all in [0, 1]; 0.5 is guessing."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Roc:
    """Share detected against share of false alarms, at every threshold.

    Attributes:
        false_alarms: (T,) rising from 0 to 1.
        detected: (T,) of the same thresholds.
    """

    false_alarms: Values
    detected: Values


def roc(clean: Values, other: Values) -> Roc:
    """Sweep a threshold from high to low; larger is less usual."""
    thresholds = np.unique(np.concatenate([clean, other]))[::-1]
    return Roc(
        np.concatenate([[0.0], 1 - np.searchsorted(np.sort(clean), thresholds) / len(clean)]),
        np.concatenate([[0.0], 1 - np.searchsorted(np.sort(other), thresholds) / len(other)]),
    )


def area(clean: Values, other: Values, seed: int = 0) -> Area:
    """P(other > clean) + P(other = clean) / 2, resampling both sides for the interval."""
    random = np.random.default_rng(seed)
    draws = [auroc(random.choice(other, len(other)), random.choice(clean, len(clean))) for _ in range(_DRAWS)]
    low, high = np.quantile(draws, (0.025, 0.975))
    return Area(auroc(other, clean), float(low), float(high))


def detected_at(rate: float, clean: Values, other: Values) -> Proportion:
    """Share of `other` above the threshold that at most `rate` of clean samples exceed.

    Args:
        rate: of false alarms.
        clean: N values that the threshold is set on: its k-th largest, k = floor(rate (N + 1)); see
            `rvl_edge.offline.calibration.tails`.
        other: what is to be detected.
    """
    place = max(1, int(np.floor(rate * (len(clean) + 1) + 1e-9)))
    threshold = np.sort(clean)[-place]
    return proportion(int(np.count_nonzero(other > threshold)), len(other))
