# SPDX-License-Identifier: Apache-2.0
"""Temperature and thresholds from answers, and what they make of other answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rvl_edge.offline.calibration.answers import Answers
from rvl_edge.offline.calibration.temperature import fit_temperature, softmax
from rvl_edge.trust.confidence import conformal_rank, conformal_threshold

_FOLDS = 5
_SEED = 0


@dataclass(frozen=True)
class Fitted:
    """See `ConfidenceEntry`; `samples` is how many the thresholds were fitted on."""

    temperature: float
    unknown_below: float
    plausible_from: float
    samples: int


@dataclass(frozen=True)
class Fold:
    """Samples to fit on, and others to measure with."""

    fitting: Answers
    measuring: Answers


@dataclass(frozen=True, eq=False)
class Applied:
    """What became of N samples that nothing was fitted on.

    Attributes:
        before: (N, K) probabilities at temperature 1.
        after: (N, K) calibrated ones.
        truth: (N,) index of the right label; -1 where it is not among them.
        answered: (N,) the decision is a label.
        plausible: (N, K) which labels are.
    """

    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]
    truth: npt.NDArray[np.int64]
    answered: npt.NDArray[np.bool_]
    plausible: npt.NDArray[np.bool_]

    def take(self, index: npt.NDArray[np.bool_]) -> Applied:
        """Some of the samples."""
        return Applied(
            self.before[index],
            self.after[index],
            self.truth[index],
            self.answered[index],
            self.plausible[index],
        )

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """(N,) the first label is the truth."""
        right: npt.NDArray[np.bool_] = self.after.argmax(axis=1) == self.truth
        return right

    @property
    def covered(self) -> npt.NDArray[np.bool_]:
        """(N,) the truth is plausible."""
        covered: npt.NDArray[np.bool_] = self.plausible[np.arange(len(self.truth)), self.truth]
        return covered & (self.truth >= 0)


def fit(answers: Answers, alpha: float) -> Fitted:
    """Fit a third of the samples' temperature, then thresholds on the others.

    A temperature fitted on the samples of the thresholds too would make those samples differ from later
    ones, and the promise would no longer be exact.

    Args:
        answers: in random order; samples whose truth is no label are passed over.
        alpha: share that may be missed.

    Raises:
        ConfigError: too few samples for `alpha`.
    """
    first, rest = _for_temperature_and_thresholds(answers)
    temperature = fit_temperature(first.logits, first.truth) if len(first) else 1.0
    probabilities = softmax(rest.logits, temperature)
    return Fitted(
        temperature,
        conformal_threshold(probabilities.max(axis=1), alpha),
        conformal_threshold(probabilities[np.arange(len(rest)), rest.truth], alpha),
        len(rest),
    )


def check_enough(truth: npt.NDArray[np.int64], alpha: float, *, crossed: bool) -> None:
    """Refuse what `fit` will refuse, before any sample is encoded.

    Args:
        truth: of the samples to fit on, as `Answers` will have it.
        alpha: share that may be missed.
        crossed: whether they are measured with too, by `cross_folds`.

    Raises:
        ConfigError: too few samples for `alpha`.
    """
    unasked = Answers(np.empty((len(truth), 0)), truth)
    parts = [fold.fitting for fold in cross_folds(unasked)] if crossed else [unasked]
    for part in parts:
        _, rest = _for_temperature_and_thresholds(part)
        conformal_rank(len(rest), alpha)


def _for_temperature_and_thresholds(answers: Answers) -> tuple[Answers, Answers]:
    known = answers.known
    last = np.arange(len(known)) % 3 == 2
    return known.take(last), known.take(~last)


def apply(fitted: Fitted, answers: Answers) -> Applied:
    """What the robot makes of these answers; see `rvl_edge.trust.confidence.decide`."""
    after = softmax(answers.logits, fitted.temperature)
    plausible = after >= fitted.plausible_from
    plausible[np.arange(len(after)), after.argmax(axis=1)] = True
    answered = after.max(axis=1) >= fitted.unknown_below
    return Applied(softmax(answers.logits), after, answers.truth, answered, plausible)


def cross_folds(answers: Answers, count: int = _FOLDS) -> tuple[Fold, ...]:
    """Folds that each measure another share of the samples and fit on the others."""
    place = np.random.default_rng(_SEED).permutation(len(answers)) % count
    return tuple(Fold(answers.take(place != fold), answers.take(place == fold)) for fold in range(count))


def measure(folds: Sequence[Fold], alpha: float) -> Applied:
    """Fit each fold, and apply that to the fold's other samples.

    Raises:
        ConfigError: too few samples for `alpha`.
    """
    parts = [apply(fit(fold.fitting, alpha), fold.measuring) for fold in folds]
    return Applied(
        np.concatenate([each.before for each in parts]),
        np.concatenate([each.after for each in parts]),
        np.concatenate([each.truth for each in parts]),
        np.concatenate([each.answered for each in parts]),
        np.concatenate([each.plausible for each in parts]),
    )
