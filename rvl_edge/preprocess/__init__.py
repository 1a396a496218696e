# SPDX-License-Identifier: Apache-2.0
"""Sensor sample -> model input, without torch: the same functions on the robot and in training."""

from __future__ import annotations

from rvl_edge.preprocess.audio import preprocess_audio
from rvl_edge.preprocess.depth import DepthUnit, preprocess_depth
from rvl_edge.preprocess.image import preprocess_image
from rvl_edge.preprocess.spec import AudioSpec, DepthSpec, ImageSpec, ThermalSpec, VideoSpec
from rvl_edge.preprocess.thermal import ThermalUnit, preprocess_thermal
from rvl_edge.preprocess.video import preprocess_video

__all__ = [
    "AudioSpec",
    "DepthSpec",
    "DepthUnit",
    "ImageSpec",
    "ThermalSpec",
    "ThermalUnit",
    "VideoSpec",
    "preprocess_audio",
    "preprocess_depth",
    "preprocess_image",
    "preprocess_thermal",
    "preprocess_video",
]
