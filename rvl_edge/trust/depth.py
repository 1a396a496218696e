# SPDX-License-Identifier: Apache-2.0
"""Holes in depth pictures."""

from __future__ import annotations

import numpy as np

from rvl_edge.trust.monitor import Curve, Observation, Simple, thinned


def holes(seen: Observation) -> float:
    """Share of pixels without a measurement: 0, negative, NaN, or too close (REP 117)."""
    values = thinned(seen.picture)
    return float(1 - np.count_nonzero(values > 0) / values.size)


HOLES = Simple(
    "holes",
    holes,
    "{value} of the pixels have no depth{usual}",
    "{:.0%}".format,
    rule=Curve(
        0.6, ((0.6, 1.0), (0.95, 0.0))
    ),  # dark, glossy and near things leave up to half a picture empty
)
