# SPDX-License-Identifier: Apache-2.0
"""Preprocessing as data: the numbers a bundle's manifest carries for each sense.

One implementation reads these on the robot and in training, so the two cannot drift apart.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Triple = tuple[float, float, float]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PictureSpec(_Spec):
    """Short side to `size` pixels, centre crop to a square, scale to [0, 1], (x - mean) / std per channel.

    `antialias` True is the low-pass filtered resampling of Pillow and torchvision; False is plain point
    sampling of the kernel, as LanguageBind's reference does on tensors.
    """

    size: Annotated[int, Field(ge=8, le=1024)]
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    antialias: bool = True
    mean: Triple
    std: Triple


class ImageSpec(PictureSpec):
    """Colour picture -> (3, size, size) float32."""

    kind: Literal["image"] = "image"


class FixedRange(_Spec):
    """Map [low, high] in the sensor's own unit to [0, 1]; values outside are clipped."""

    mode: Literal["fixed"] = "fixed"
    low: float
    high: float


class PercentileRange(_Spec):
    """Map the picture's own percentiles (0..100) of its valid pixels to [0, 1]."""

    mode: Literal["percentile"] = "percentile"
    low: Annotated[float, Field(ge=0, lt=100)] = 1.0
    high: Annotated[float, Field(gt=0, le=100)] = 99.0


class ThermalSpec(PictureSpec):
    """Thermal picture -> grey in [0, 1] by `range`, repeated to (3, size, size) float32.

    8-bit pictures are taken as already gained by the camera (value / 255). `range` applies to counts and
    temperatures. NaN, infinity and `invalid_value` are invalid pixels: they are filled with the median of the
    valid ones, and a picture with less than `min_valid_fraction` valid pixels is refused.
    """

    kind: Literal["thermal"] = "thermal"
    range: Annotated[FixedRange | PercentileRange, Field(discriminator="mode")] = PercentileRange()
    min_valid_fraction: Annotated[float, Field(ge=0, le=1)] = 0.5
    invalid_value: float | None = None


class AudioSpec(_Spec):
    """PCM -> kaldi log-mel filter bank picture (3, num_mel_bins, target_length) float32, (x - mean) / std.

    The three channels are the windows starting at the first index of each third of the clip (LanguageBind's
    deterministic variant); a clip shorter than `target_length` frames is tiled and repeated in all three.
    """

    kind: Literal["audio"] = "audio"
    sample_rate: Annotated[int, Field(ge=4000, le=192000)] = 16000
    num_mel_bins: Annotated[int, Field(ge=8, le=256)]
    target_length: Annotated[int, Field(ge=8, le=8192)]
    frame_length_ms: float = 25.0
    frame_shift_ms: float = 10.0
    mean: float
    std: Annotated[float, Field(gt=0)]


class VideoSpec(PictureSpec):
    """Frames -> `num_frames` sampled uniformly -> (3, num_frames, size, size) float32.

    `normalize_first` is LanguageBind's order for video: (x - mean) / std before the resize.
    """

    kind: Literal["video"] = "video"
    num_frames: Annotated[int, Field(ge=1, le=64)] = 8
    normalize_first: bool = False


PreprocessSpec = Annotated[ImageSpec | ThermalSpec | AudioSpec | VideoSpec, Field(discriminator="kind")]
