# SPDX-License-Identifier: Apache-2.0
"""Each sense's way from its messages to samples: decoded, not too many, in windows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

from rvl_edge_msgs.msg import AudioChunk
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from rvl_edge import Modality, Perceiver, Perception
from rvl_edge_ros import pictures, sounds
from rvl_edge_ros.params import Settings
from rvl_edge_ros.samples import Sample, Sense
from rvl_edge_ros.windows import NANOSECONDS, FrameWindow, SoundWindow, Window

_BURST = 2 * NANOSECONDS  # by which the arrival of unstamped sound may differ from when it was heard


class _PictureSense(Sense):
    """Each picture is a sample, up to a highest rate."""

    _interval = 0.0
    _due = 0.0

    @abstractmethod
    def _decoded(self, message: Image) -> Callable[[Perceiver], Perception]:
        """Check and view the pixels; returns what perceives them."""

    def _limit(self, max_rate: float) -> None:
        interval = 1 / max_rate if max_rate else 0.0
        if interval != self._interval:  # else the wait of the old rate would go on
            self._interval, self._due = interval, 0.0

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


class ImageSense(_PictureSense):
    """Colour pictures."""

    def apply(self, settings: Settings) -> None:
        """Take over the highest rate."""
        self._limit(settings.image_max_rate)

    def _decoded(self, message: Image) -> Callable[[Perceiver], Perception]:
        rgb = pictures.decode_colour(message)
        return lambda perceiver: perceiver.image(rgb)


class ThermalSense(_PictureSense):
    """Thermal pictures."""

    _unit: str | None = None

    def apply(self, settings: Settings) -> None:
        """Take over the highest rate and the unit."""
        self._limit(settings.thermal_max_rate)
        self._unit = settings.thermal_unit or None

    def _decoded(self, message: Image) -> Callable[[Perceiver], Perception]:
        counts, unit = pictures.decode(message), self._unit
        return lambda perceiver: perceiver.thermal(counts, unit=unit)


class DepthSense(_PictureSense):
    """Depth pictures, as REP 118 has them."""

    _unit: str | None = None

    def apply(self, settings: Settings) -> None:
        """Take over the highest rate and the unit."""
        self._limit(settings.depth_max_rate)
        self._unit = settings.depth_unit or None

    def _decoded(self, message: Image) -> Callable[[Perceiver], Perception]:
        depth, unit = pictures.decode_depth(message), self._unit
        return lambda perceiver: perceiver.depth(depth, unit=unit)


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

    def _arrival(self) -> int:
        """The end of the sound before: arrivals bunch up when the executor is held up, sound does not."""
        end = self._window.end
        return end if end and abs(self._now() - end) <= _BURST else super()._arrival()


_KINDS: dict[Modality, type[Sense]] = {
    Modality.IMAGE: ImageSense,
    Modality.THERMAL: ThermalSense,
    Modality.DEPTH: DepthSense,
    Modality.AUDIO: AudioSense,
    Modality.VIDEO: VideoSense,
}


def make_sense(
    modality: Modality, put: Callable[[Modality, Sample], None], now: Callable[[], int], settings: Settings
) -> Sense:
    """The right kind of `Sense` for a modality, with the settings applied."""
    sense = _KINDS[modality](modality, put, now)
    sense.apply(settings)
    return sense


def _perceive_clip(perceiver: Perceiver, clip: Window) -> Perception:
    seconds = [(stamp - clip.stamps[0]) / NANOSECONDS for stamp in clip.stamps]
    return perceiver.video(clip.data, stamps=seconds)
