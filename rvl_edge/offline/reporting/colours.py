# SPDX-License-Identifier: Apache-2.0
"""Colours of heat maps."""

from __future__ import annotations

import numpy as np

Colour = tuple[int, int, int]

# From dark violet through blue and green to yellow, evenly lighter, so that greyscale prints keep the order.
_STOPS = np.array([(62, 12, 84), (56, 84, 140), (34, 145, 140), (104, 200, 96), (250, 230, 50)], float)


def heat_colour(share: float) -> Colour:
    """The colour of a part of 1, in sRGB."""
    at = np.linspace(0, 1, len(_STOPS))
    red, green, blue = (round(float(np.interp(share, at, channel))) for channel in _STOPS.T)
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative luminance in [0, 1] (WCAG 2); white and black text are equally legible at 0.179."""
    parts = [each / 255 for each in colour]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
