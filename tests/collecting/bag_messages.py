# SPDX-License-Identifier: Apache-2.0
"""Fields of messages, as drivers fill them."""

from __future__ import annotations

from typing import Any

import numpy as np

START = 1_700_000_000_000_000_000  # nanoseconds, when bags begin


def picture(pixels: np.ndarray, encoding: str, padding: int = 0, bigendian: bool = False) -> dict[str, Any]:
    """Fields of sensor_msgs/Image with rows that are padded."""
    swapped = pixels.astype(pixels.dtype.newbyteorder(">")) if bigendian else pixels
    rows = np.frombuffer(swapped.tobytes(), np.uint8).reshape(len(pixels), -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return {
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "encoding": encoding,
        "is_bigendian": int(bigendian),
        "step": padded.shape[1],
        "data": padded.ravel(),
    }
