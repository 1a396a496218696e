# SPDX-License-Identifier: Apache-2.0
"""Quality of a picture as the encoder gets it: exposure, contrast, sharpness, noise, clipping."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, pi, sqrt

import cv2
import numpy as np

from rvl_edge.trust.monitor import Curve, Observation, Simple, thinned
from rvl_edge.types import FloatArray

_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_DARKEST, _FAINTEST = 1e-3, 1e-4  # floors of logarithms, in parts of full scale


def exposure(seen: Observation) -> float:
    """Distance of the mean brightness from mid-grey, 0 to about 0.5."""
    return abs(float(seen.grey.mean()) - 0.5)


def contrast(seen: Observation) -> float:
    """Minus log of the standard deviation of brightness: fog, a covered lens, a wash of light."""
    return _mean(seen, lambda frame: -log(float(frame.std()) + _DARKEST))


def blur(seen: Observation) -> float:
    """Minus log of the variance of the Laplacian over that of the picture itself.

    The variance of the Laplacian is the usual measure of focus (Pech-Pacheco et al., ICPR 2000); the ratio
    does not change with contrast.
    """
    return _mean(seen, _softness)


def noise(seen: Observation) -> float:
    """Log of the noise's standard deviation by Immerkær's mask (CVIU 1996), blind to smooth structure."""
    return _mean(seen, _graininess)


def clipped(seen: Observation) -> float:
    """Share of the sensor's values at either end of 8 bits."""
    values = thinned(seen.picture)
    return float(np.count_nonzero((values == 0) | (values == 255)) / values.size)


def blank(seen: Observation) -> float:
    """Minus the standard deviation of the sensor's values, in 8-bit levels, in the channel that has most.

    Channels are looked at one by one: a lens behind a green cap differs between them and nowhere else.
    """
    return -float(np.std(thinned(seen.picture), axis=(0, 1)).max())


EXPOSURE = Simple(
    "exposure",
    exposure,
    "the picture's brightness is {value} of full scale from mid-grey{usual}",
    "{:.0%}".format,
)
CONTRAST = Simple(
    "contrast",
    contrast,
    "the picture's contrast is {value} of full scale{usual}",
    lambda value: f"{exp(-value):.1%}",
)
BLUR = Simple("blur", blur, "the picture's sharpness is {value}{usual}", lambda value: f"{exp(-value):.3g}")
NOISE = Simple(
    "noise",
    noise,
    "the picture's noise is {value} of full scale{usual}",
    lambda value: f"{exp(value):.1%}",
)
CLIPPED = Simple("clipped", clipped, "{value} of the values are black or white{usual}", "{:.0%}".format)
BLANK = Simple(
    "blank",
    blank,
    "the picture is blank: its values differ by {value} levels of 255{usual}",
    lambda value: f"{-value:.1f}",
    rule=Curve(-2.0, ((-2.0, 1.0), (-1.0, 0.0))),
)


def _mean(seen: Observation, of: Callable[[FloatArray], float]) -> float:
    frames = seen.grey
    return sum(of(frame) for frame in frames) / len(frames)


def _softness(frame: FloatArray) -> float:
    edges = cv2.Laplacian(frame, cv2.CV_32F)
    return log((float(frame.var()) + _DARKEST**2) / (float(edges.var()) + _FAINTEST**2))


def _graininess(frame: FloatArray) -> float:
    response = cv2.filter2D(frame, cv2.CV_32F, _IMMERKAER)[1:-1, 1:-1]
    return log(sqrt(pi / 2) / 6 * float(np.abs(response).mean()) + _FAINTEST)
