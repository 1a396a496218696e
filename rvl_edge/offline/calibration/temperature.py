# SPDX-License-Identifier: Apache-2.0
"""One number that makes probabilities as sure as they are right (Guo et al. 2017, section 4.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_BOUNDS = (1e-3, 1e3)  # of the inverse temperature
_PRECISION = 1e-7  # relative
_PRIOR = 10  # samples


def softmax(logits: npt.NDArray[np.float64], temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Probabilities (N, K) of logits (N, K)."""
    scaled = logits / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: npt.NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return probabilities


def fit_temperature(logits: npt.NDArray[np.float64], truth: npt.NDArray[np.int64]) -> float:
    """The temperature of least log loss, with ten samples in addition that are answered as at temperature 1.

    The logit scale was trained, so 1 is a good guess. It keeps the result finite where all samples are right,
    steadies it where they are few, and weighs little among many. The loss is convex in the inverse
    temperature, so its slope, mean(E_p[logit] - E_target[logit]), crosses zero once and is bisected.

    Args:
        logits: (N, K), K of 2 or more.
        truth: (N,) index into the columns.

    Returns:
        In [0.001, 1000].
    """
    trust = len(truth) / (len(truth) + _PRIOR)
    guess = (softmax(logits) * logits).sum(axis=1)
    target = trust * logits[np.arange(len(truth)), truth] + (1 - trust) * guess
    low, high = _BOUNDS
    while high > low * (1 + _PRECISION):
        middle = float(np.sqrt(low * high))
        expected = (softmax(logits, 1 / middle) * logits).sum(axis=1)
        if (expected - target).mean() < 0:
            low = middle
        else:
            high = middle
    return 1 / high
