# SPDX-License-Identifier: Apache-2.0
"""What every monitor looks like: one number of a perception, the larger the less usual, and its curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rvl_edge.preprocess.audio import first_channel
from rvl_edge.preprocess.spec import PictureSpec, PreprocessSpec, VideoSpec
from rvl_edge.types import FloatArray


@dataclass(frozen=True, eq=False)
class Observation:
    """All that there is to look at of one perception.

    Attributes:
        sample: as the sensor sent it: a picture, thermal or depth picture, a sound, or a clip's frames.
        inputs: what the encoder was fed, float32.
        spec: how the one became the other.
        embedding: (D,) float32, unit norm.
        views: (N, D) float32, unit norm, of COLA's views, the sample's own first; None where COLA is off.
        sentinel: (D,) float32, unit norm, by the encoder before it was hardened; None where it did not run.
    """

    sample: npt.NDArray[Any] | Sequence[npt.NDArray[Any]]
    inputs: FloatArray
    spec: PreprocessSpec
    embedding: FloatArray
    views: FloatArray | None = None
    sentinel: FloatArray | None = None

    @cached_property
    def grey(self) -> FloatArray:
        """(T, S, S) brightness in about [0, 1] of what the encoder was fed; T is 1 but for clips.

        Monitors of picture quality look here and not at the sensor's own pixels: a blur that is gone at the
        encoder's size does no harm, and what was fitted on pictures of one size holds for cameras of another.
        """
        assert isinstance(self.spec, PictureSpec)
        frames = self.inputs if self.inputs.ndim == 4 else self.inputs[:, None]
        weights = np.asarray(self.spec.std, np.float32) / 3
        grey = np.tensordot(weights, frames, axes=1) + np.float32(np.mean(self.spec.mean))
        return np.ascontiguousarray(grey, np.float32)

    @cached_property
    def picture(self) -> npt.NDArray[Any]:
        """(H, W) or (H, W, C) as the camera sent it, without alpha; of a clip its newest frame."""
        picture = np.asarray(self.sample[-1] if isinstance(self.spec, VideoSpec) else self.sample)
        return picture[..., :3] if picture.ndim == 3 else picture

    @cached_property
    def sound(self) -> FloatArray:
        """(N,) float32, the first channel with full scale 1."""
        return first_channel(np.asarray(self.sample))


@dataclass(frozen=True)
class Curve:
    """How much trust a statistic leaves: 1 up to `threshold`, then falling along `points`.

    Attributes:
        threshold: the largest value that is nothing unusual.
        points: (value, trust in [0, 1]) by rising value, linear in between; the last holds beyond.
        usual: the middle of clean samples' values, for findings; None for rules, which were not fitted.
    """

    threshold: float
    points: tuple[tuple[float, float], ...]
    usual: float | None = None

    def trust(self, value: float) -> float:
        """In [0, 1]."""
        if value <= self.threshold:
            return 1.0
        values, trusts = zip(*self.points, strict=True)
        return float(np.interp(value, values, trusts))


class Monitor(Protocol):
    """One monitor of one sense. It may remember what it saw, in bounded memory; calls come one at a time."""

    @property
    def name(self) -> str:
        """As findings and calibrations name it."""

    @property
    def rule(self) -> Curve | None:
        """For what no working sensor does, and so needs no fit; None where usual values must be measured."""

    def statistic(self, seen: Observation) -> float | None:
        """A finite number, larger is less usual; None where there is nothing to measure."""

    def explain(self, value: float, usual: float | None) -> str:
        """A finding's words for a value above the threshold."""


@dataclass(frozen=True)
class Simple:
    """A monitor that is a function of the observation alone.

    Attributes:
        name: see `Monitor`.
        measure: the statistic.
        words: the finding, with {value} and {usual} as `shown` gives them.
        shown: statistic -> what people read, such as a percentage.
        rule: see `Monitor`.
    """

    name: str
    measure: Callable[[Observation], float | None]
    words: str
    shown: Callable[[float], str]
    rule: Curve | None = None

    def statistic(self, seen: Observation) -> float | None:
        """See `Monitor`."""
        return self.measure(seen)

    def explain(self, value: float, usual: float | None) -> str:
        """See `Monitor`."""
        return self.words.format(
            value=self.shown(value), usual="" if usual is None else f", usually {self.shown(usual)}"
        )


def thinned(picture: npt.NDArray[Any], most: int = 4096) -> npt.NDArray[Any]:
    """An even grid of at most about `most` pixels of (H, W, ...), as a view: enough to count by."""
    step = max(1, int(np.ceil(np.sqrt(picture.shape[0] * picture.shape[1] / most))))
    return picture[::step, ::step]
