# SPDX-License-Identifier: Apache-2.0
"""What cameras and links do to clips over time; clips are (T, H, W, 3) uint8."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadShape

Clip = npt.NDArray[np.uint8]
OnClip = Callable[[Clip, int, np.random.Generator], Clip]

_DROPPED = (0.1, 0.2, 0.4, 0.6, 0.8)
_FROZEN = (0.2, 0.35, 0.5, 0.7, 0.9)
_SMEARED = (0.5, 1.0, 1.5, 2.0, 3.0)
_STOPS = (0.25, 0.5, 0.75, 1.0, 1.5)
_WOBBLE = (0.01, 0.02, 0.04, 0.06, 0.09)


def dropped_frames(clip: Clip, severity: int, random: np.random.Generator) -> Clip:
    """Each frame but the first is lost with this probability, and the last one that came is shown again."""
    lost = random.random(len(clip)) < _DROPPED[severity - 1]
    lost[0] = False
    return clip[np.maximum.accumulate(np.where(lost, 0, np.arange(len(clip))))]


def frozen_frames(clip: Clip, severity: int, random: np.random.Generator) -> Clip:
    """A camera that hangs: this part of the clip, at its end, stands still."""
    del random
    moving = max(1, round(len(clip) * (1 - _FROZEN[severity - 1])))
    return clip[np.minimum(np.arange(len(clip)), moving - 1)]


def motion_blur(clip: Clip, severity: int, random: np.random.Generator) -> Clip:
    """A shutter open for this many frames' time: the mean of what was seen meanwhile."""
    del random
    last = len(clip) - 1
    behind = np.linspace(0, _SMEARED[severity - 1], 9)
    total = np.zeros(clip.shape, np.float32)
    for lag in behind:
        place = np.clip(np.arange(len(clip)) - lag, 0, last)
        before = np.floor(place).astype(int)
        part = (place - before).astype(np.float32)[:, None, None, None]
        total += clip[before] * (1 - part) + clip[np.minimum(before + 1, last)] * part
    return np.round(total / len(behind)).astype(np.uint8)


def exposure_pumping(clip: Clip, severity: int, random: np.random.Generator) -> Clip:
    """Automatic exposure that hunts: brightness swings by this many stops, once or twice a clip."""
    swings, phase = random.uniform(1, 2), random.random()
    time = np.arange(len(clip)) / len(clip)
    gains = 2 ** (_STOPS[severity - 1] * np.sin(2 * np.pi * (swings * time + phase)))
    return np.round(np.clip(clip * gains[:, None, None, None], 0, 255)).astype(np.uint8)


def rolling_jitter(clip: Clip, severity: int, random: np.random.Generator) -> Clip:
    """A rolling shutter on a shaking mount: rows are displaced in waves, by up to this part of the width."""
    height, width = clip.shape[1:3]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    waves, phases = random.uniform(1, 3, len(clip)), random.random(len(clip))
    frames = []
    for frame, count, phase in zip(clip, waves, phases, strict=True):
        shift = _WOBBLE[severity - 1] * width * np.sin(2 * np.pi * (count * rows / height + phase))
        displaced = (columns + shift).astype(np.float32)
        frames.append(cv2.remap(frame, displaced, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(frames)


def _on_clip(effect: OnClip) -> OnClip:
    def on_clip(clip: Clip, severity: int, random: np.random.Generator) -> Clip:
        if clip.ndim != 4 or clip.dtype != np.uint8 or clip.size == 0:
            raise BadShape(
                "only clips are corrupted", got=f"{clip.shape} {clip.dtype}", expected="(T, H, W, 3) uint8"
            )
        return effect(clip, severity, random)

    return on_clip


VIDEO: dict[str, OnClip] = {
    effect.__name__: _on_clip(effect)
    for effect in (dropped_frames, frozen_frames, motion_blur, exposure_pumping, rolling_jitter)
}
