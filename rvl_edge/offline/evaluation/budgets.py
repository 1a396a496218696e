# SPDX-License-Identifier: Apache-2.0
"""How strong an attack is, as a user says it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.domains import Waveform
from rvl_edge.offline.hardening.threat import Norm, Threat


class Budget(Protocol):
    """What an attack may spend on each sample; `eps` or `snr_db` says it, the other is None."""

    @property
    def norm(self) -> Norm:
        """Of the perturbation."""

    @property
    def eps(self) -> float | None:
        """Radius in units of the domain's full scale."""

    @property
    def snr_db(self) -> float | None:
        """Signal-to-noise ratio in decibels."""

    def threat(self, samples: Tensor) -> Threat:
        """For samples (B, ...) in the domain."""


@dataclass(frozen=True)
class Ball:
    """One radius for all samples, in units of the domain's full scale."""

    norm: Norm
    eps: float
    snr_db: None = None

    def __post_init__(self) -> None:
        """Raise ConfigError where nothing is left of the sample."""
        if self.norm is Norm.LINF and self.eps > 1:
            raise ConfigError(
                "the radius is more than the full scale",
                got=f"{255 * self.eps:g}/255",
                expected="at most 255/255 in L-inf",
                fix="write 255ths: 4 is 4/255",
            )

    def threat(self, samples: Tensor) -> Threat:
        """See `Budget`."""
        del samples
        return Threat(self.norm, self.eps)


@dataclass(frozen=True)
class Ratio:
    """Perturbations that are quieter than each sound by `snr_db` decibels."""

    domain: Waveform
    snr_db: float
    norm: Norm = Norm.L2
    eps: None = None

    def threat(self, samples: Tensor) -> Threat:
        """See `Budget`."""
        return Threat(self.norm, self.domain.radius(samples, self.snr_db))


def radii(text: str) -> tuple[float, ...]:
    """Radii written as `1,2,4,8`, which are parts of 255, or as fractions such as `0.5/255`; ascending.

    Raises:
        ConfigError: something else, or a radius that is not above 0.
    """
    return tuple(sorted({_parsed(item.strip(), text) for item in text.split(",")}))


def radius(text: str) -> float:
    """One radius, written as those of `radii`.

    Raises:
        ConfigError: something else, or several.
    """
    found = radii(text)
    if len(found) > 1:
        raise ConfigError("one radius, not several", got=text, expected="such as 4/255")
    return found[0]


def ratios(text: str) -> tuple[float, ...]:
    """Signal-to-noise ratios in dB written as `20,30,40`; falling, so from the weakest attack.

    Raises:
        ConfigError: something else.
    """
    try:
        return tuple(sorted({float(item) for item in text.split(",")}, reverse=True))
    except ValueError:
        raise ConfigError(
            "no signal-to-noise ratios", got=text, expected="decibels such as 20,30,40"
        ) from None


def _parsed(item: str, text: str) -> float:
    top, _, bottom = item.partition("/")
    try:
        value = float(top) / float(bottom or 255)
    except (ValueError, ZeroDivisionError):
        value = 0.0
    if not 0 < value < math.inf:
        raise ConfigError(
            "no radii", got=text, expected="numbers of 255ths such as 1,2,4,8, or fractions such as 0.5/255"
        )
    return value
