# SPDX-License-Identifier: Apache-2.0
"""From the activations that were seen to the range that eight bits are to span.

onnxruntime's own calibrators keep every activation of every sample until the last one has run, which for one
ViT-L/14 is half a gigabyte a sample. A histogram of magnitudes takes 16 kB a tensor however much it has seen,
and all methods read the same one.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Method = Literal["minmax", "percentile", "entropy"]
METHODS: tuple[Method, ...] = get_args(Method)

_BINS = 2048
_LEVELS = 128  # magnitudes of a symmetric 8-bit integer
_PERCENTILE = 99.99
_STRIDE = 16  # bins between two candidates of the entropy method
_LEAST = _BINS * float(
    np.finfo(np.float32).tiny
)  # a histogram below it has bins that float32 cannot tell apart


class Histogram:
    """How often each magnitude of one tensor was seen, over any number of batches."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._top = 0.0
        self._largest = 0.0

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Count a batch; where it is beyond the histogram, bins are joined in pairs until it fits."""
        magnitudes = np.abs(values, dtype=np.float32).ravel()
        largest = float(magnitudes.max(initial=0.0))
        self._largest = max(self._largest, largest)
        if largest and not self._top:
            self._top = max(largest, _LEAST)
        while self._top < largest:
            joined = self._counts.reshape(-1, 2).sum(axis=1)
            self._counts = np.concatenate([joined, np.zeros(_BINS - len(joined), np.int64)])
            self._top *= 2
        if self._top:
            self._counts += np.histogram(magnitudes, _BINS, (0.0, self._top))[0]

    def limit(self, method: Method) -> float:
        """The magnitude that the largest 8-bit number is to stand for.

        Args:
            method: `minmax`, the largest that was seen; `percentile`, which all but one in 10,000 are below;
                or `entropy`, after which least information is lost (Migacz, 8-bit inference with TensorRT,
                2017).

        Returns:
            A positive number; 1 for a tensor that is always zero.
        """
        if not self._largest:
            return 1.0
        if method == "minmax":
            return self._largest
        bins = self._percentile_bins() if method == "percentile" else _entropy_bins(self._counts)
        return min(self._largest, bins * self._top / _BINS)

    def _percentile_bins(self) -> int:
        below = np.cumsum(self._counts) / self._counts.sum()
        return int(np.searchsorted(below, _PERCENTILE / 100)) + 1


def _entropy_bins(counts: npt.NDArray[np.int64]) -> int:
    """How many bins to keep so that the Kullback-Leibler divergence of what 8 bits make of them is least."""
    candidates = range(_LEVELS, _BINS + 1, _STRIDE)
    return min(candidates, key=lambda bins: _divergence(counts, bins))


def _divergence(counts: npt.NDArray[np.int64], bins: int) -> float:
    """Of the distribution clipped to its first `bins` bins from the same in `_LEVELS` levels, in nats."""
    clipped = counts[:bins].astype(np.float64)
    clipped[-1] += counts[bins:].sum()
    seen = counts[:bins] > 0
    edges = np.linspace(0, bins, _LEVELS + 1).astype(np.int64)
    level = np.repeat(np.arange(_LEVELS), np.diff(edges))
    totals = np.bincount(level, counts[:bins], _LEVELS)
    spread = np.bincount(level, seen, _LEVELS)
    coarse = np.where(seen, totals[level] / np.maximum(spread[level], 1), 0.0)
    if not coarse.sum():
        return np.inf
    wanted, found = clipped / clipped.sum(), coarse / coarse.sum()
    rows = wanted > 0
    return float((wanted[rows] * np.log(wanted[rows] / np.maximum(found[rows], 1e-12))).sum())
