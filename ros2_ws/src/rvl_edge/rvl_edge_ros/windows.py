# SPDX-License-Identifier: Apache-2.0
"""Windows over a stream: the newest frames for video, the newest seconds of sound. Memory is bounded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Window:
    """A full window.

    Attributes:
        data: T frames (H, W[, 3]) for video, (N, channels) samples for sound.
        stamps: nanoseconds: one a frame; or of the first and the last sample.
    """

    data: Any
    stamps: tuple[int, ...]


class FrameWindow:
    """The newest `length` pictures, given out every `hop` pictures once there are as many.

    It starts anew where the picture's shape changes, or where more than `max_gap` seconds lie between two
    pictures: what was seen before and after is not one clip.
    """

    def __init__(self, length: int, hop: int, max_gap: float) -> None:
        self._length, self._hop, self._max_gap = length, hop, round(max_gap * NANOSECONDS)
        self._frames: deque[npt.NDArray[Any]] = deque(maxlen=length)
        self._stamps: deque[int] = deque(maxlen=length)
        self._due = length

    def push(self, frame: npt.NDArray[Any], stamp: int) -> Window | None:
        """Take one picture with its stamp in nanoseconds, later than the one before."""
        if self._frames and (
            frame.shape != self._frames[-1].shape or stamp - self._stamps[-1] > self._max_gap
        ):
            self.clear()
        self._frames.append(frame)
        self._stamps.append(stamp)
        self._due -= 1
        if self._due > 0:
            return None
        self._due = self._hop
        return Window(tuple(self._frames), tuple(self._stamps))

    def clear(self) -> None:
        """Forget everything."""
        self._frames.clear()
        self._stamps.clear()
        self._due = self._length

    @property
    def missing(self) -> str:
        """How far the first window is, in words; empty once there is one."""
        count = len(self._frames)
        return "" if count == self._length else f"window has {count} of {self._length} frames"


class SoundWindow:
    """The newest `length` seconds of sound, given out every `hop` seconds once there is as much.

    It starts anew where rate, channels or sample type change, or where a chunk begins more than `gap` seconds
    away from the end of the one before.
    """

    def __init__(self, length: float, hop: float, gap: float) -> None:
        self._length, self._hop, self._gap = length, hop, round(gap * NANOSECONDS)
        self._ring: npt.NDArray[Any] = np.empty((0, 0))
        self._rate = 0
        self._at = self._filled = 0
        self._since = self._end = 0

    def push(self, pcm: npt.NDArray[Any], sample_rate: int, stamp: int) -> Window | None:
        """Take one chunk (N, channels) whose first sample is from `stamp`, in nanoseconds."""
        format_changed = (sample_rate, pcm.dtype, pcm.shape[1]) != (
            self._rate,
            self._ring.dtype,
            self._ring.shape[1],
        )
        if format_changed:
            self._rate = sample_rate
            self._ring = np.empty((max(1, round(self._length * sample_rate)), pcm.shape[1]), pcm.dtype)
        if format_changed or abs(stamp - self._end) > self._gap:
            self.clear()
        self._append(pcm)
        self._end = stamp + len(pcm) * NANOSECONDS // sample_rate
        if self._filled < len(self._ring) or self._since < self._hop * sample_rate:
            return None
        self._since = 0
        start = self._end - len(self._ring) * NANOSECONDS // sample_rate
        return Window(np.roll(self._ring, -self._at, axis=0), (start, self._end))

    @property
    def end(self) -> int:
        """When the newest sample ended, in nanoseconds; 0 where there is none."""
        return self._end

    def clear(self) -> None:
        """Forget everything but the format."""
        self._at = self._filled = 0
        self._since = len(self._ring)
        self._end = 0

    @property
    def missing(self) -> str:
        """How far the first window is, in words; empty once there is one."""
        if self._filled == len(self._ring) > 0:
            return ""
        seconds = self._filled / self._rate if self._rate else 0
        return f"window has {seconds:.1f} of {self._length:g} s"

    def _append(self, pcm: npt.NDArray[Any]) -> None:
        newest = pcm[-len(self._ring) :]
        first = min(len(newest), len(self._ring) - self._at)
        self._ring[self._at : self._at + first] = newest[:first]
        self._ring[: len(newest) - first] = newest[first:]
        self._at = (self._at + len(newest)) % len(self._ring)
        self._filled = min(len(self._ring), self._filled + len(newest))
        self._since += len(pcm)
