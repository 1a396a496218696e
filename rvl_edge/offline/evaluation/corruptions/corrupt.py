# SPDX-License-Identifier: Apache-2.0
"""One sample of any sense, corrupted by name."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.corruptions.depth import DEPTH
from rvl_edge.offline.evaluation.corruptions.pictures import PICTURES
from rvl_edge.offline.evaluation.corruptions.sounds import SOUNDS
from rvl_edge.offline.evaluation.corruptions.thermal import THERMAL
from rvl_edge.offline.evaluation.corruptions.video import VIDEO
from rvl_edge.types import Modality

SEVERITIES = (1, 2, 3, 4, 5)

_OF: Mapping[Modality, Mapping[str, Callable[..., npt.NDArray[Any]]]] = {
    Modality.IMAGE: PICTURES,
    Modality.THERMAL: THERMAL,
    Modality.DEPTH: DEPTH,
    Modality.AUDIO: SOUNDS,
    Modality.VIDEO: VIDEO,
}


def corruptions_of(modality: Modality) -> tuple[str, ...]:
    """Names of a sense's corruptions, in the order of tables."""
    return tuple(_OF[modality])


def corrupt(
    sample: npt.NDArray[Any],
    modality: Modality,
    name: str,
    severity: int,
    *,
    seed: int | tuple[int, ...],
    sample_rate: int = 0,
) -> npt.NDArray[Any]:
    """Corrupt one sample as the sensor sends it, before any preprocessing.

    The same seed draws the same noise at every severity, so that severities differ in strength alone.

    Args:
        sample: a picture (H, W, 3) uint8; a thermal picture (H, W) uint8 (gained), counts or temperatures; a
            depth picture (H, W) uint16 millimetres or float metres; a sound (N,) or (N, channels) float of
            full scale 1; a clip (T, H, W, 3) uint8. It is left as it was.
        modality: the sense.
        name: one of `corruptions_of(modality)`.
        severity: 1 to 5.
        seed: of all that is random, such as a run's and the sample's number.
        sample_rate: of a sound, in Hz.

    Returns:
        A new sample of the same shape and type.

    Raises:
        ConfigError: no such corruption or severity, or a sound without its rate.
    """
    known = _OF[modality]
    if name not in known:
        raise ConfigError(
            f"unknown corruption of {modality}", got=name, expected=f"one of {', '.join(known)}"
        )
    if severity not in SEVERITIES:
        raise ConfigError("corruptions have five severities", got=severity, expected="1 to 5")
    seeds = (seed,) if isinstance(seed, int) else seed
    random = np.random.default_rng((zlib.crc32(name.encode()), *seeds))
    if modality is not Modality.AUDIO:
        return known[name](sample, severity, random)
    if sample_rate <= 0:
        raise ConfigError("a sound is corrupted at its own rate", got=sample_rate, expected="Hz")
    return known[name](sample, severity, random, sample_rate)
