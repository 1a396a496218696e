# SPDX-License-Identifier: Apache-2.0
"""A sensor that sends the same again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.preprocess.spec import AudioSpec
from rvl_edge.trust.monitor import Curve, Observation, thinned

_KEPT = 4096


class Frozen:
    """Counts how often the very same sample came again, on a grid of its values.

    A real sensor has noise and does not repeat itself. A simulator without noise that looks at a still scene
    does: switch monitors off there, or add noise.
    """

    name = "frozen"
    rule = Curve(1, ((1, 1.0), (3, 0.0)))  # one repeat is a doubled frame, three are a stuck sensor

    def __init__(self) -> None:
        self._last: npt.NDArray[Any] | None = None
        self._repeats = 0

    def statistic(self, seen: Observation) -> float:
        """Repeats in a row."""
        values = _grid(seen)
        last = self._last
        same = last is not None and last.shape == values.shape and last.tobytes() == values.tobytes()
        self._repeats = self._repeats + 1 if same else 0
        if not same:
            self._last = values.copy()
        return self._repeats

    def explain(self, value: float, usual: float | None) -> str:
        """See `Monitor`."""
        del usual
        return f"the same sample came {value:.0f} times again"


class Still:
    """Share of a clip's frames that are the very same as the one before."""

    name = "still"
    rule = Curve(0.3, ((0.3, 1.0), (0.9, 0.0)))  # film at 24 frames in 30 repeats one in four

    def statistic(self, seen: Observation) -> float | None:
        """In [0, 1]; None for a single frame."""
        grids = [thinned(np.asarray(frame), _KEPT) for frame in seen.sample]
        pairs = list(pairwise(grids))
        if not pairs:
            return None
        return sum(np.array_equal(before, after) for before, after in pairs) / len(pairs)

    def explain(self, value: float, usual: float | None) -> str:
        """See `Monitor`."""
        del usual
        return f"{value:.0%} of the clip's frames repeat the one before"


def _grid(seen: Observation) -> npt.NDArray[Any]:
    if isinstance(seen.spec, AudioSpec):
        sound = np.asarray(seen.sample)
        return sound[:: max(1, len(sound) // _KEPT)]
    return thinned(seen.picture, _KEPT)
