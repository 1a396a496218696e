# SPDX-License-Identifier: Apache-2.0
"""What a file can hold: one frozen value a sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rvl_edge.types import Modality


@dataclass(frozen=True)
class ImageSample:
    """A colour or grey picture.

    Attributes:
        rgb: (H, W, 3) RGB or (H, W, 1 or 4), uint8.
    """

    modality: ClassVar[Modality] = Modality.IMAGE
    rgb: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ThermalSample:
    """A thermal picture; a file does not say its unit.

    Attributes:
        counts: (H, W), or (H, W, 3) as gained and stored by a camera, of any type `preprocess_thermal` reads.
    """

    modality: ClassVar[Modality] = Modality.THERMAL
    counts: npt.NDArray[Any]


@dataclass(frozen=True)
class DepthSample:
    """A depth picture; a file does not say its unit.

    Attributes:
        depth: (H, W) or (H, W, 1), of any type `preprocess_depth` reads.
    """

    modality: ClassVar[Modality] = Modality.DEPTH
    depth: npt.NDArray[Any]


@dataclass(frozen=True)
class AudioSample:
    """A sound.

    Attributes:
        pcm: (N, channels) of uint8, int16, int32 or float32 PCM.
        sample_rate: in Hz.
    """

    modality: ClassVar[Modality] = Modality.AUDIO
    pcm: npt.NDArray[Any]
    sample_rate: int


@dataclass(frozen=True)
class VideoSample:
    """Frames spread evenly over a clip.

    Attributes:
        frames: (T, H, W, 3) uint8 RGB.
        stamps: (T,) seconds from the first frame, rising; None where the file does not say.
    """

    modality: ClassVar[Modality] = Modality.VIDEO
    frames: npt.NDArray[np.uint8]
    stamps: npt.NDArray[np.float64] | None


Sample = ImageSample | ThermalSample | DepthSample | AudioSample | VideoSample
