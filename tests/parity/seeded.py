# SPDX-License-Identifier: Apache-2.0
"""Weights, model inputs and sensor samples from a seed: NumPy only, the same bits on every machine.

Only the raw integers of PCG64 are used, whose stream NumPy guarantees, with integer arithmetic or exact
float32 operations on them: NumPy's distributions and `sin` may change from release to release.
"""

from __future__ import annotations

import math
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt


def integers(name: str, count: int) -> npt.NDArray[np.uint32]:
    """`count` integers in [0, 2**24), a stream of its own for every name."""
    raw = np.random.PCG64(crc32(name.encode())).random_raw(count)
    return (raw >> np.uint64(40)).astype(np.uint32)


def uniform(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Float32 in [-1, 1)."""
    values = integers(name, math.prod(shape)).astype(np.float32)
    values *= np.float32(2**-23)
    values -= np.float32(1)
    return values.reshape(shape)


def weight(key: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The tensor of a state-dict key, of a size at which every part of the tower shows in its output."""
    if key.endswith("position_ids"):  # a buffer, 0, 1, 2, ...
        return np.arange(math.prod(shape)).reshape(shape)
    drawn = uniform(key, shape)
    if key == "logit_scale":
        return np.asarray(drawn + np.float32(4))
    if "norm" in key and key.endswith("weight"):
        return np.float32(1) + drawn * np.float32(0.25)
    return drawn * np.float32(_spread(key, shape))


def _spread(key: str, shape: tuple[int, ...]) -> float:
    if key.endswith("bias"):
        return 0.1
    if "lora_B" in key:
        return 0.08
    if "embedding" in key and "patch_embedding" not in key:
        return 0.5
    return math.sqrt(3 / math.prod(shape[1:]))


def model_input(shape: tuple[int, ...], count: int = 2) -> npt.NDArray[np.float32]:
    """`count` inputs of a tower, (count, *shape): coarse blocks under fine noise, so that patches differ."""
    height, width = shape[-2:]
    rows, columns = np.arange(height) // 28, np.arange(width) // 28
    coarse = uniform(f"coarse{shape}", (count, *shape[:-2], rows[-1] + 1, columns[-1] + 1))
    return coarse[..., rows[:, None], columns] + uniform(f"fine{shape}", (count, *shape))


def picture(name: str, height: int, width: int, channels: int = 3) -> npt.NDArray[np.uint8]:
    """(height, width, channels) uint8: patches of 24 pixels with gradients and noise over the full range."""
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    cells = (height // 24 + 1, width // 24 + 1, channels)
    coarse = integers(f"{name} coarse", math.prod(cells)).reshape(cells)[rows // 24, columns // 24] % 176
    slope = (rows * 3 + columns * 2)[..., None] % 48
    fine = integers(f"{name} fine", height * width * channels).reshape(height, width, channels) % 32
    return (coarse + slope + fine).astype(np.uint8)


def depth(name: str, height: int, width: int) -> npt.NDArray[np.uint16]:
    """(height, width) millimetres: steps and slopes at 0.3 to 13 m, a tenth of the pixels unmeasured."""
    near = picture(f"{name} near", height, width, 1)[..., 0].astype(np.uint16)
    unmeasured = integers(f"{name} holes", height * width).reshape(height, width) % 10 == 0
    return np.where(unmeasured, 0, near * 50 + 300).astype(np.uint16)


def frames(name: str, count: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """(count, height, width, 3) uint8: one picture passing by, five pixels a frame."""
    wide = picture(name, height, width + 5 * count)
    return np.stack([wide[:, 5 * t : 5 * t + width] for t in range(count)])


def sound(name: str, count: int, channels: int = 1) -> npt.NDArray[np.int16]:
    """(count, channels) int16: a rising and a gated triangle wave with noise."""
    time = np.arange(count, dtype=np.int64)
    chirp = _triangle(time * 600 + time * time // 24)
    gated = _triangle(time * 2900) * (time // 3000 % 3 == 0)
    noise = integers(name, count * channels).reshape(count, channels).astype(np.int64) % 2048 - 1024
    return ((chirp // 4 + gated // 3)[:, None] + noise + 300).astype(np.int16)


def _triangle(phase: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A triangle wave of full scale from a phase with 2**16 to the turn."""
    return np.abs(phase % 65536 - 32768) * 2 - 32768
