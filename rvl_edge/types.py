# SPDX-License-Identifier: Apache-2.0
"""The values that cross module borders: frozen, with units and shapes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class Modality(str, Enum):
    """A sense. The value is its name in manifests, topics and on the command line."""

    IMAGE = "image"
    THERMAL = "thermal"
    DEPTH = "depth"
    AUDIO = "audio"
    VIDEO = "video"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Label:
    """One class and its probability in [0, 1] under the current label set."""

    name: str
    probability: float


@dataclass(frozen=True)
class Timing:
    """Wall time of each step of one perception, in milliseconds."""

    preprocess: float
    encode: float
    refine: float
    classify: float
    judge: float = 0.0  # monitors, with a sentinel's run

    @property
    def total(self) -> float:
        """Sum of the steps, in milliseconds."""
        return self.preprocess + self.encode + self.refine + self.classify + self.judge


@dataclass(frozen=True)
class Finding:
    """One reason to trust a perception less.

    Attributes:
        monitor: which monitor says so, such as `blur` or `sentinel`.
        trust: what it leaves of the trust, in [0, 1].
        detail: the reason in words, with what was measured and what is usual.
    """

    monitor: str
    trust: float
    detail: str


@dataclass(frozen=True)
class Trust:
    """How far a perception can be relied on, as far as its monitors can tell; never a certainty.

    Attributes:
        value: in [0, 1]; near 1 means that no monitor found anything unusual.
        findings: the reasons against, the gravest first; none where nothing is unusual.
    """

    value: float
    findings: tuple[Finding, ...] = ()


class Spent(str, Enum):
    """Why a sample got the views that it got."""

    ALWAYS = "always"  # there is no gate
    UNSURE = "unsure"  # the first view's two likeliest labels were too close
    DISTRUSTED = "distrusted"  # the monitors do not trust the sample
    SPARED = "spared"  # the gate stayed shut: one view, plain ranking

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Refinement:
    """What COLA spent on one sample.

    Attributes:
        views: how many views were encoded, the sample itself among them.
        classes: how many labels were aligned with them; the others rank below those, by their cosines.
        why: what opened or shut the gate.
    """

    views: int
    classes: int
    why: Spent


UNKNOWN = "unknown"  # the decision where no label is likely enough


@dataclass(frozen=True)
class Perception:
    """What one sample was seen as.

    Attributes:
        modality: the sense the sample came from.
        embedding: (D,) float32, unit norm, in the space shared by all senses and text.
        labels: classes ranked by falling probability; the probabilities sum to 1.
        labels_version: version of the label set that ranked them (see `Perceiver.set_labels`).
        timing: milliseconds spent in each step.
        decision: the first label's name, or `UNKNOWN` where its probability is below the threshold that was
            fitted for these labels.
        plausible: labels that the truth is among as often as the bundle's calibration promises (a conformal
            set), by falling probability; empty where the labels in force were not calibrated.
        trust: what the monitors say; None while they are off. Where the bundle was not calibrated, those
            that need no fit are all there are.
        refinement: what COLA spent on the sample; None while it is off.
    """

    modality: Modality
    embedding: FloatArray
    labels: tuple[Label, ...]
    labels_version: int
    timing: Timing
    decision: str
    plausible: tuple[str, ...] = ()
    trust: Trust | None = None
    refinement: Refinement | None = None
