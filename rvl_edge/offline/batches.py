# SPDX-License-Identifier: Apache-2.0
"""Encoding many samples a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.types import FloatArray

_BATCH = 4  # bounds the memory of activations: video holds eight pictures a sample


def in_batches(encode: Callable[[npt.NDArray[Any]], FloatArray], inputs: npt.NDArray[Any]) -> FloatArray:
    """Encode with batches of 1, 2 and then 4, which shows that the batch axis is free."""
    return np.concatenate([encode(batch) for batch in _batches(inputs)])


def _batches(inputs: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    yield from np.split(inputs, [1, *range(3, len(inputs), _BATCH)])
