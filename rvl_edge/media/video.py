# SPDX-License-Identifier: Apache-2.0
"""Video files, by PyAV, with no more than the wanted frames in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadEncoding, MissingDependency
from rvl_edge.media.samples import VideoSample


@dataclass(frozen=True)
class StampedFrame:
    """One frame: (H, W, 3) uint8 RGB, and seconds from the first."""

    rgb: npt.NDArray[np.uint8]
    stamp: float


def video_frames(path: Path) -> Iterator[StampedFrame]:
    """Decode a file frame by frame, holding one at a time.

    Yields:
        Upright frames with rising stamps.

    Raises:
        BadEncoding: damaged, without a picture track, or without time stamps.
        MissingDependency: PyAV is not installed.
    """
    for frame, stamp in _decoded(path):
        yield StampedFrame(_upright(frame), stamp)


def read_video(path: Path, num_frames: int = 8) -> VideoSample:
    """Read `num_frames` frames: the newest at or before each of as many evenly spaced instants.

    Fewer are returned of a clip that has fewer, and a file that was cut off is read as far as it goes. It is
    decoded once from its start, since seeking is exact in few containers; only the chosen frames are
    converted.

    Raises:
        BadEncoding: as `video_frames`.
        MissingDependency: PyAV is not installed.
    """
    instants = np.linspace(0, _last_stamp(path), num_frames)
    chosen: list[StampedFrame] = []
    current: tuple[Any, float] | None = None
    for following in chain(_decoded(path), [(None, np.inf)]):
        if current is not None:
            frame, stamp = current
            # This frame is the newest from its own stamp, give or take rounding, to the one after.
            if np.any((instants >= stamp - 1e-6) & (instants < following[1] - 1e-6)):
                chosen.append(StampedFrame(_upright(frame), stamp))
        current = following
    return VideoSample(
        np.stack([frame.rgb for frame in chosen]), np.array([frame.stamp for frame in chosen], np.float64)
    )


def _last_stamp(path: Path) -> float:
    """Seconds from the first to the last frame, from the container alone."""
    with _opened(path) as (container, stream):
        stamps = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
        if not stamps:
            raise BadEncoding("a video has no time stamps", got=path, fix=f"ffmpeg -i {path} clip.mp4")
        return float(max(stamps) - min(stamps)) * float(stream.time_base)


def _decoded(path: Path) -> Iterator[tuple[Any, float]]:
    with _opened(path) as (container, stream):
        first = last = None
        for frame in container.decode(stream):
            if frame.time is None or (last is not None and frame.time <= last):
                continue
            first = frame.time if first is None else first
            last = frame.time
            yield frame, last - first
        if first is None:
            raise BadEncoding("a video holds no frame that can be decoded", got=path)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        import av
    except ImportError as error:
        raise MissingDependency(
            "video files need PyAV", got=path, fix="pip install 'rvl-edge-sdk[media]'"
        ) from error
    try:
        # A playlist in a file's clothes must not make FFmpeg open anything else, and a tag that is not UTF-8
        # does not spoil the picture.
        options = {"protocol_whitelist": "file"}
        with av.open(str(path), options=options, metadata_errors="replace") as container:
            if not container.streams.video:
                raise BadEncoding("a file has no picture track", got=path, expected="a video")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except av.FFmpegError as error:
        raise BadEncoding("a video cannot be decoded", got=f"{path}: {error.strerror}") from error


def _upright(frame: Any) -> npt.NDArray[np.uint8]:
    rgb: npt.NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(rgb, frame.rotation // 90))
