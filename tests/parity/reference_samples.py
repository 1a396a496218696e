# SPDX-License-Identifier: Apache-2.0
"""The sensor samples and texts both sides preprocess, and what is kept of the results; NumPy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import seeded

RATE = 16_000


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample as a sensor sends it; `sample_rate` in Hz, of sounds only."""

    name: str
    data: npt.NDArray[Any]
    sample_rate: int = RATE


def samples(modality: str) -> tuple[Sample, ...]:
    """Samples of a sense: shrunk and enlarged, landscape and portrait, shorter and longer than the window."""
    if modality == "image":
        return (
            Sample("vga", seeded.picture("vga", 480, 640)),
            Sample("portrait", seeded.picture("portrait", 331, 247)),
            Sample("small", seeded.picture("small", 150, 200)),
        )
    if modality == "thermal":
        grey = seeded.picture("thermal", 512, 640, 1)
        return (Sample("grey", np.repeat(grey, 3, axis=2)),)
    if modality == "depth":
        return (Sample("rooms", seeded.depth("rooms", 480, 640)),)
    if modality == "video":
        return (
            Sample("clip", seeded.frames("clip", 20, 240, 320)),
            Sample("short", seeded.frames("short", 5, 115, 112)),
        )
    return (
        Sample("tiled", seeded.sound("tiled", 3 * RATE)),
        Sample("stereo", seeded.sound("stereo", 6 * RATE, channels=2)),
        Sample("exact", seeded.sound("exact", 1035 * 160 + 400)),
        Sample("one over", seeded.sound("one over", 1036 * 160 + 400)),
        Sample("three windows", seeded.sound("three windows", 23 * RATE)),
        Sample("44100 Hz", seeded.sound("44100 Hz", 4 * 44_100), 44_100),
        Sample("48000 Hz", seeded.sound("48000 Hz", 12 * 48_000), 48_000),
    )


TEXTS = (
    "a photo of a forklift.",
    "a person's hands, holding 3 red boxes!",
    "  Café   MÜLLER naïve  日本語 ",
    "a very long text " * 40,
    "",
)


def thinned(model_input: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Pixels spread evenly over a model input, its borders included: what is stored of one."""
    height, width = model_input.shape[-2:]
    steps = 13 if model_input.ndim == 4 else 24
    rows, columns = (np.linspace(0, side - 1, steps).astype(int) for side in (height, width))
    return np.ascontiguousarray(model_input[..., rows[:, None], columns])
