# SPDX-License-Identifier: Apache-2.0
"""Messages of one sense -> samples to perceive: decoded, in order, not too many, in windows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from rvl_edge_msgs.msg import AudioChunk
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from rvl_edge import InputError, Modality, Perceiver, Perception
from rvl_edge_ros import pictures, sounds
from rvl_edge_ros.meter import Meter
from rvl_edge_ros.params import Settings
from rvl_edge_ros.windows import NANOSECONDS, FrameWindow, SoundWindow, Window

_CLOCK_JUMP = NANOSECONDS  # stamps that fall back this far come from a clock or a recording begun anew


@dataclass(frozen=True)
class Sample:
    """What to perceive.

    Attributes:
        header: of the message that completed it.
        start: when its first part was taken, in nanoseconds.
        end: when its last part was.
        arrived: `perf_counter` when that message came.
        perceive: runs it through the encoders.
    """

    header: Header
    start: int
    end: int
    arrived: float
    perceive: Callable[[Perceiver], Perception]


class Sense(ABC):
    """One sense's way from a message to a sample; used on the executor's thread.

    Args:
        modality: the sense.
        put: takes each sample.
        now: nanoseconds on the node's clock, for messages without a stamp.
    """

    _window: FrameWindow | SoundWindow | None = None

    def __init__(
        self, modality: Modality, put: Callable[[Modality, Sample], None], now: Callable[[], int]
    ) -> None:
        self.modality = modality
        self.meter = Meter()
        self._put = put
        self._now = now
        self._last = -1

    def receive(self, message: Any) -> None:
        """Take one message, whatever is in it; what cannot be used is counted and explained."""
        arrived = perf_counter()
        self.meter.received()
        try:
            sample = self._sample(message, arrived)
        except InputError as error:
            self.meter.rejected(str(error))
        except Exception as error:  # raised on, it would end the executor, and every sense with it
            self.meter.failed(f"{type(error).__name__}: {error}")
        else:
            if sample is not None:
                self._put(self.modality, sample)

    def refuse(self, reason: str) -> None:
        """Count a message that cannot even be decoded."""
        self.meter.received()
        self.meter.rejected(reason)

    @abstractmethod
    def apply(self, settings: Settings) -> None:
        """Use other settings from the next message on."""

    @abstractmethod
    def _sample(self, message: Any, arrived: float) -> Sample | None:
        """Decode a message; None where it makes no sample by itself or was dropped."""

    def _in_order(self, stamp: int) -> bool:
        """Whether a stamp is later than the last; a message that is not is dropped and counted."""
        if self._last - _CLOCK_JUMP < stamp <= self._last:
            self.meter.dropped()
            return False
        if stamp < self._last and self._window is not None:
            self._window.clear()
        self._last = stamp
        return True

    def _stamp(self, header: Header) -> int:
        stamp: int = header.stamp.sec * NANOSECONDS + header.stamp.nanosec
        return stamp or self._now()


class PictureSense(Sense):
    """Each picture is a sample: colour or thermal."""

    _interval = 0.0
    _due = 0.0
    _unit: str | None = None

    def apply(self, settings: Settings) -> None:
        """Take over the highest rate and the thermal unit."""
        thermal = self.modality is Modality.THERMAL
        rate = settings.thermal_max_rate if thermal else settings.image_max_rate
        self._interval = 1 / rate if rate else 0.0
        self._unit = settings.thermal_unit or None

    def _sample(self, message: Image, arrived: float) -> Sample | None:
        perceive = self._decoded(message)
        stamp = self._stamp(message.header)
        if not self._in_order(stamp):
            return None
        if arrived < self._due:
            self.meter.dropped()
            return None
        # On a grid, so that jitter does not lower the rate; a new grid after a pause.
        self._due = (self._due if arrived < self._due + self._interval else arrived) + self._interval
        return Sample(message.header, stamp, stamp, arrived, perceive)

    def _decoded(self, message: Image) -> Callable[[Perceiver], Perception]:
        if self.modality is Modality.THERMAL:
            counts, unit = pictures.decode(message), self._unit
            return lambda perceiver: perceiver.thermal(counts, unit=unit)
        rgb = pictures.decode_colour(message)
        return lambda perceiver: perceiver.image(rgb)


class _WindowedSense(Sense):
    """Samples are windows over the stream."""

    _window: FrameWindow | SoundWindow

    def _windowed(
        self,
        window: Window | None,
        header: Header,
        arrived: float,
        perceive: Callable[[Perceiver, Window], Perception],
    ) -> Sample | None:
        self.meter.collecting(self._window.missing)
        if window is None:
            return None
        return Sample(
            header,
            window.stamps[0],
            window.stamps[-1],
            arrived,
            lambda perceiver: perceive(perceiver, window),
        )


class VideoSense(_WindowedSense):
    """The newest pictures of the image topic are a sample."""

    _window: FrameWindow
    _shape: tuple[float, ...] = ()

    def apply(self, settings: Settings) -> None:
        """Begin a new window if its measures changed."""
        shape = (settings.video_window, settings.video_hop, settings.video_max_gap)
        if shape != self._shape:
            self._shape = shape
            self._window = FrameWindow(*shape)

    def _sample(self, message: Image, arrived: float) -> Sample | None:
        frame = pictures.decode_colour(message)
        stamp = self._stamp(message.header)
        if not self._in_order(stamp):
            return None
        return self._windowed(self._window.push(frame, stamp), message.header, arrived, _perceive_clip)


class AudioSense(_WindowedSense):
    """The newest seconds of sound are a sample."""

    _window: SoundWindow
    _shape: tuple[float, ...] = ()

    def apply(self, settings: Settings) -> None:
        """Begin a new window if its measures changed."""
        shape = (settings.audio_window, settings.audio_hop, settings.audio_max_gap)
        if shape != self._shape:
            self._shape = shape
            self._window = SoundWindow(*shape)

    def _sample(self, message: AudioChunk, arrived: float) -> Sample | None:
        pcm, rate = sounds.decode(message), message.sample_rate
        stamp = self._stamp(message.header)
        if not self._in_order(stamp):
            return None
        return self._windowed(
            self._window.push(pcm, rate, stamp),
            message.header,
            arrived,
            lambda perceiver, window: perceiver.audio(window.data, sample_rate=rate),
        )


def _perceive_clip(perceiver: Perceiver, clip: Window) -> Perception:
    seconds = [(stamp - clip.stamps[0]) / NANOSECONDS for stamp in clip.stamps]
    return perceiver.video(clip.data, stamps=seconds)


def make_sense(
    modality: Modality, put: Callable[[Modality, Sample], None], now: Callable[[], int], settings: Settings
) -> Sense:
    """The right kind of `Sense` for a modality, with the settings applied."""
    kinds: dict[Modality, type[Sense]] = {Modality.VIDEO: VideoSense, Modality.AUDIO: AudioSense}
    sense = kinds.get(modality, PictureSense)(modality, put, now)
    sense.apply(settings)
    return sense
