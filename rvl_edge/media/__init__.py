# SPDX-License-Identifier: Apache-2.0
"""Files -> samples, for the command line and for replay."""

from __future__ import annotations

from rvl_edge.media.reading import check_beginning, raw_frames, read_sample
from rvl_edge.media.samples import AudioSample, DepthSample, ImageSample, Sample, ThermalSample, VideoSample
from rvl_edge.media.sound import read_sound
from rvl_edge.media.video import StampedFrame, read_video, video_frames

__all__ = [
    "AudioSample",
    "DepthSample",
    "ImageSample",
    "Sample",
    "StampedFrame",
    "ThermalSample",
    "VideoSample",
    "check_beginning",
    "raw_frames",
    "read_sample",
    "read_sound",
    "read_video",
    "video_frames",
]
