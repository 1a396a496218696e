# SPDX-License-Identifier: Apache-2.0
"""What probabilities are good for: a decision that may be `unknown`, and the labels that are plausible.

Both thresholds are split-conformal (Vovk et al. 2005; Papadopoulos et al. 2002): of n + 1 exchangeable
scores, each is as likely as any other to be among the k smallest, whatever their distribution. So with the
k-th smallest of n calibration scores as threshold, k = floor(alpha * (n + 1)), a further score lies below it
with probability alpha at most; where no two scores are equal, with more than alpha - 1 / (n + 1).

The scores are

- for `unknown`: the first label's probability. A sample of a known class is answered with probability
  1 - alpha at least. How many samples of unknown classes are recognised is measured, not promised.
- for plausible labels: the true label's probability (LAC: Sadinle, Lei & Wasserman 2019, "Least ambiguous
  set-valued classifiers with bounded error levels"), which gives the smallest sets on average. The truth is
  among them with probability 1 - alpha at least. The first label is always one of them: an empty set helps
  nobody, and a larger one covers no less.

APS and RAPS (Romano et al. 2020; Angelopoulos et al. 2021) spread the coverage more evenly over easy and hard
samples, but need a random draw a sample to be as small, and the same sample shall give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rvl_edge.bundle.calibration import ConfidenceEntry
from rvl_edge.errors import ConfigError
from rvl_edge.types import UNKNOWN, Label


@dataclass(frozen=True)
class Verdict:
    """What is made of ranked labels; see `Perception`."""

    decision: str
    plausible: tuple[str, ...]


def decide(labels: Sequence[Label], fitted: ConfidenceEntry | None) -> Verdict:
    """Decision and plausible labels.

    Args:
        labels: by falling probability, at the temperature of `fitted`.
        fitted: the thresholds for these labels; None where there are none: then the first label is the
            decision, and nothing can be said of the others.
    """
    first = labels[0]
    if fitted is None:
        return Verdict(first.name, ())
    decision = first.name if first.probability >= fitted.unknown_below else UNKNOWN
    others = (each.name for each in labels[1:] if each.probability >= fitted.plausible_from)
    return Verdict(decision, (first.name, *others))


def conformal_threshold(scores: npt.NDArray[np.floating], alpha: float) -> float:
    """The largest threshold below which a further score lies with probability `alpha` at most.

    Args:
        scores: (n,) of calibration samples, exchangeable with the further one.
        alpha: in (0, 1).

    Raises:
        ConfigError: so few scores that no threshold above the smallest can promise that.
    """
    rank = conformal_rank(len(scores), alpha)
    return float(np.partition(scores, rank - 1)[rank - 1])


def conformal_rank(count: int, alpha: float) -> int:
    """Which of `count` calibration scores, the smallest being 1, is the threshold.

    Raises:
        ConfigError: as `conformal_threshold`.
    """
    rank = math.floor(alpha * (count + 1) + 1e-9)  # 0.05 * 20 is 1, whatever binary fractions make of it
    if rank < 1:
        raise ConfigError(
            "too few samples for this alpha",
            got=f"{count} samples at alpha {alpha:g}",
            expected=f"{math.ceil(1 / alpha) - 1} or more",
            fix="collect more samples, or accept a larger alpha",
        )
    return rank
