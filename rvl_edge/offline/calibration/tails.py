# SPDX-License-Identifier: Apache-2.0
"""From clean samples' statistics to thresholds at which all monitors together warn as seldom as promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
_FOLDS = 10

Statistics = Mapping[str, npt.NDArray[np.float64]]
"""(N,) of each monitor, of the same N clean samples in random order."""


@dataclass(frozen=True)
class Tail:
    """The largest values of a statistic: P(S > s) = share exp(-(s - knee) / scale) beyond the knee.

    Exceedances of a high threshold tend to a generalised Pareto law (Pickands, Annals of Statistics 1975),
    whose exponential member needs one number, which small samples can give. It serves to put monitors on one
    scale. No promise rests on it: how often they warn together is set by order statistics, see `fit_family`.

    Attributes:
        usual: the median.
        share, knee, scale: as above, knee and scale in the statistic's own unit.
    """

    usual: float
    share: float
    knee: float
    scale: float

    @classmethod
    def fit(cls, values: npt.NDArray[np.float64], share: float) -> Tail:
        """By maximum likelihood, which is the mean exceedance."""
        knee = float(np.quantile(values, 1 - share))
        beyond = values[values > knee] - knee
        least = _LEAST_SPREAD * max(float(np.abs(values).max()), _LEAST_SPREAD)
        scale = max(float(beyond.mean()) if beyond.size else 0.0, least)
        return cls(float(np.median(values)), share, knee, scale)

    @classmethod
    def mean(cls, tails: Sequence[Tail]) -> Tail:
        """The tail whose thresholds are the means of these ones', which have one share."""
        knee, scale, usual = (
            float(np.mean([getattr(each, name) for each in tails])) for name in ("knee", "scale", "usual")
        )
        return cls(usual, tails[0].share, knee, scale)

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


def granted_rate(samples: int, rate: float) -> float:
    """The rate that can be promised of so many samples, where `rate` is asked for.

    Raises:
        ConfigError: as `fit_family`.
    """
    granted = max(rate, _FEWEST / (samples + 1))
    if granted > _WIDEST:
        raise ConfigError(
            "too few clean samples to fit monitors on",
            got=samples,
            expected=f"at least {ceil(_FEWEST / _WIDEST) - 1}, and {ceil(_FEWEST / rate) - 1} for that rate",
        )
    return granted


def fit_family(statistics: Statistics, rate: float) -> Family:
    """Thresholds at which at most `rate` of clean samples make any monitor warn.

    The smallest p-value of a sample over all monitors is itself a statistic, whose distribution on clean
    samples takes their dependence into account (min-P: Westfall & Young, "Resampling-based multiple testing",
    1993). Of n + 1 exchangeable samples' smallest p-values, each is as likely as any to be among the k
    smallest; with the k-th of n as the level, k = floor(rate (n + 1)), a further clean sample is below it
    with probability `rate`. Where k would be less than 4, the rate is widened until it is 4.

    A sample is exchangeable with a further one only as long as no tail was fitted on it, so its p-values are
    of tails fitted on the other nine tenths of the samples; a monitor's threshold is the mean of those that
    its ten tails have at the level. As for the jackknife (Barber et al., Annals of Statistics 2021) there is
    no proof for such a threshold, since tails differ a little from fold to fold; on simulated families the
    rate holds. With tails fitted on all samples it comes to half as much again.

    Raises:
        ConfigError: samples for which that would be more than one warning in twenty.
    """
    samples = len(next(iter(statistics.values())))
    granted = granted_rate(samples, rate)
    share = float(np.clip(_EXCEEDANCES / samples, *_SHARES))
    fold = np.arange(samples) % _FOLDS
    tails = {
        name: [Tail.fit(values[fold != each], share) for each in range(_FOLDS)]
        for name, values in statistics.items()
    }
    smallest = np.empty(samples)
    for each in range(_FOLDS):
        unseen = fold == each
        p_values = [tails[name][each].p_values(values[unseen]) for name, values in statistics.items()]
        smallest[unseen] = np.min(p_values, axis=0)
    level = float(np.sort(smallest)[floor(granted * (samples + 1) + 1e-9) - 1])
    curves = {name: Tail.mean(folds).curve(level) for name, folds in tails.items()}
    return Family(curves, granted, level, samples)
