# SPDX-License-Identifier: Apache-2.0
"""Whether a sample is worth more than one view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rvl_edge.errors import ConfigError
from rvl_edge.types import FloatArray, Spent


@dataclass(frozen=True)
class Gate:
    """Views are spent where the first one is unsure or the sample distrusted; 1 is always, 0 never.

    It saves most of the time on clean samples. It is also a way in: an attack that makes the first view wrong
    and sure keeps it shut unless a monitor notices.

    Attributes:
        margin: the least difference between the probabilities of the two likeliest labels, in [0, 1], at
            which the first view counts as sure.
        trust: the least trust, in [0, 1], at which a sample passes.

    Raises:
        ConfigError: a number outside [0, 1].
    """

    margin: float = 0.5
    trust: float = 0.5

    def __post_init__(self) -> None:
        for name, value in (("margin", self.margin), ("trust", self.trust)):
            if not 0 <= value <= 1:
                raise ConfigError(f"the gate's {name} is out of range", got=value, expected="0 to 1")

    def verdict(self, margin: float, trust: float) -> Spent:
        """Why to spend views on a sample whose first view has this margin, or `Spent.SPARED`."""
        # Trust is 1 where nothing is odd, and a margin where the softmax saturates: 1 has to open by itself.
        if self.trust == 1 or trust < self.trust:
            return Spent.DISTRUSTED
        return Spent.UNSURE if self.margin == 1 or margin < self.margin else Spent.SPARED


def top_margin(cosines: FloatArray, sharpness: float) -> float:
    """Difference of the two largest of softmax(sharpness * cosines), (K,); 1 for a single label."""
    shares = np.exp(sharpness * (cosines - cosines.max()).astype(np.float64))
    shares = np.sort(shares / shares.sum())
    return float(shares[-1] - shares[-2]) if len(shares) > 1 else 1.0
