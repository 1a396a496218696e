# SPDX-License-Identifier: Apache-2.0
"""From clean samples' statistics to thresholds at which all monitors together warn as seldom as promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, log

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import ConfigError
from rvl_edge.trust.monitor import Curve

_EXCEEDANCES = 20  # samples that a tail is fitted on, where that is
_SHARES = (0.02, 0.2)  # no less and no more of all
_LEAST_SPREAD = 1e-3  # of a tail, in parts of the statistic's own size
_TRUSTS = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
_WIDEST = 0.05  # the largest rate that is worth a warning
_FEWEST = 4  # warnings among the fitted samples, or one odd sample would set the level

Statistics = Mapping[str, npt.NDArray[np.float64]]
"""(N,) of each monitor, of the same N clean samples."""


@dataclass(frozen=True)
class Tail:
    """The largest values of a statistic: P(S > s) = share exp(-(s - knee) / scale) beyond the knee.

    Exceedances of a high threshold tend to a generalised Pareto law (Pickands, Annals of Statistics 1975),
    whose exponential member needs one number, which small samples can give. It serves to put monitors on one
    scale. No promise rests on it: how often they warn together is set by order statistics, see `fit_family`.
    """

    usual: float
    share: float
    knee: float
    scale: float

    @classmethod
    def fit(cls, values: npt.NDArray[np.float64]) -> Tail:
        """By maximum likelihood, which is the mean exceedance."""
        share = float(np.clip(_EXCEEDANCES / len(values), *_SHARES))
        knee = float(np.quantile(values, 1 - share))
        beyond = values[values > knee] - knee
        least = _LEAST_SPREAD * max(float(np.abs(values).max()), _LEAST_SPREAD)
        scale = max(float(beyond.mean()) if beyond.size else 0.0, least)
        return cls(float(np.median(values)), share, knee, scale)

    def p_values(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How seldom a clean sample is as unusual; all alike up to the knee, where nobody asks."""
        found: npt.NDArray[np.float64] = self.share * np.exp(-np.maximum(values - self.knee, 0) / self.scale)
        return found

    def curve(self, rate: float) -> Curve:
        """Trust 1 up to where the p-value is `rate`, and p-value over rate from there on."""
        threshold = self.knee + self.scale * log(self.share / rate)
        points = tuple((threshold + self.scale * log(1 / trust), trust) for trust in _TRUSTS)
        return Curve(threshold, points, self.usual)


@dataclass(frozen=True)
class Family:
    """Monitors that warn together at a promised rate.

    Attributes:
        curves: by monitor.
        rate: promised share of clean samples on which any of them warns; more than was asked for where there
            are too few samples for that.
        each: share on which one of them warns alone, by its tail.
        samples: N.
    """

    curves: Mapping[str, Curve]
    rate: float
    each: float
    samples: int


def fit_family(statistics: Statistics, rate: float) -> Family:
    """Thresholds at which at most `rate` of clean samples make any monitor warn.

    The smallest p-value of a sample over all monitors is itself a statistic, whose distribution on clean
    samples takes their dependence into account (min-P: Westfall & Young, "Resampling-based multiple testing",
    1993). Of n + 1 exchangeable samples' smallest p-values, each is as likely as any to be among the k
    smallest; with the k-th of n as the level, k = floor(rate (n + 1)), a further clean sample is below it
    with probability `rate` at most. Where k would be less than 4, the rate is widened until it is 4. What is
    not covered: the few numbers of each tail are fitted on the same samples.

    Raises:
        ConfigError: samples for which that would be more than one warning in twenty.
    """
    samples = len(next(iter(statistics.values())))
    granted = max(rate, _FEWEST / (samples + 1))
    if granted > _WIDEST:
        raise ConfigError(
            "too few clean samples to fit monitors on",
            got=samples,
            expected=f"at least {ceil(_FEWEST / _WIDEST) - 1}, and {ceil(_FEWEST / rate) - 1} for that rate",
        )
    tails = {name: Tail.fit(values) for name, values in statistics.items()}
    smallest = np.min([tails[name].p_values(values) for name, values in statistics.items()], axis=0)
    level = float(np.sort(smallest)[floor(granted * (samples + 1) + 1e-9) - 1])
    return Family({name: tail.curve(level) for name, tail in tails.items()}, granted, level, samples)
