# SPDX-License-Identifier: Apache-2.0
"""Preprocessing as data: the numbers a bundle's manifest carries for each sense.

One implementation reads these on the robot and in training, so the two cannot drift apart.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import log
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Triple = tuple[float, float, float]
Positive = Annotated[float, Field(gt=0)]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PictureSpec(_Spec):
    """Short side to `size` pixels, centre crop to a square, scale to [0, 1], (x - mean) / std per channel.

    `antialias` True is the low-pass filtered resampling of Pillow and torchvision; False is plain point
    sampling of the kernel, as LanguageBind's reference does on tensors. The order of resizing and normalising
    is not part of the spec: both are affine, the kernel's weights sum to 1 and nothing is clamped in between,
    so LanguageBind's two orders (image, video) agree to rounding.
    """

    size: Annotated[int, Field(ge=8, le=1024)]
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    antialias: bool = True
    mean: Triple
    std: tuple[Positive, Positive, Positive]

    def resized(self, length: int, short: int) -> int:
        """Pixels that a side becomes where the short one becomes `size`, rounded as torchvision does."""
        return int(self.size * length / short)


class ImageSpec(PictureSpec):
    """Colour picture -> (3, size, size) float32."""

    kind: Literal["image"] = "image"


class _Range(_Spec):
    low: float
    high: float

    @model_validator(mode="after")
    def _rising(self) -> _Range:
        if not self.low < self.high:
            raise ValueError(f"low must be less than high, got {self.low} and {self.high}")
        return self


class FixedRange(_Range):
    """Map [low, high] to [0, 1]; values outside are clipped.

    `unit` is what `low` and `high` are given in: kelvin, or the raw counts of one camera model.
    """

    mode: Literal["fixed"] = "fixed"
    unit: Literal["kelvin", "counts"] = "kelvin"


class PercentileRange(_Range):
    """Map two percentiles (0..100) of the picture's valid pixels to [0, 1]; values outside are clipped."""

    mode: Literal["percentile"] = "percentile"
    low: Annotated[float, Field(ge=0, lt=100)] = 1.0
    high: Annotated[float, Field(gt=0, le=100)] = 99.0


class ThermalSpec(PictureSpec):
    """Thermal picture -> grey in [0, 1] by `range`, repeated to (3, size, size) float32.

    8-bit pictures are taken as already gained by the camera (value / 255). `range` applies to counts and
    temperatures. NaN, infinity and `invalid_value` (in the unit the picture arrives in) are invalid pixels:
    they are filled with the median of the valid ones, and a picture with less than `min_valid_fraction` valid
    pixels is refused.
    """

    kind: Literal["thermal"] = "thermal"
    range: Annotated[FixedRange | PercentileRange, Field(discriminator="mode")] = PercentileRange()
    min_valid_fraction: Annotated[float, Field(ge=0, le=1)] = 0.5
    invalid_value: float | None = None


class DepthSpec(PictureSpec):
    """Depth picture -> metres cut to [min_depth, max_depth], over max_depth, repeated to (3, size, size).

    Pixels without a measurement (0, negative, NaN, -inf) become `min_depth`, as LanguageBind's zeros do, and
    +inf, nothing within reach, becomes `max_depth`; a picture with less than `min_valid_fraction` of pixels
    that measured something, +inf included, is refused.
    """

    kind: Literal["depth"] = "depth"
    min_depth: Annotated[float, Field(ge=0, description="metres")] = 0.01
    max_depth: Annotated[float, Field(gt=0, description="metres")] = 10.0
    min_valid_fraction: Annotated[float, Field(ge=0, le=1)] = 0.05

    @model_validator(mode="after")
    def _deepens(self) -> DepthSpec:
        if not self.min_depth < self.max_depth:
            raise ValueError(
                f"min_depth must be less than max_depth, got {self.min_depth} and {self.max_depth}"
            )
        return self


class AudioSpec(_Spec):
    """PCM -> kaldi log-mel filter bank picture (3, num_mel_bins, target_length) float32, (x - mean) / std.

    The three channels are the windows starting at the first index of each third of the clip (LanguageBind's
    deterministic variant); a clip shorter than `target_length` frames is tiled and repeated in all three.
    LanguageBind divides by twice its config's std: a card for its weights states the doubled value.
    """

    kind: Literal["audio"] = "audio"
    sample_rate: Annotated[int, Field(ge=4000, le=192000)] = 16000
    num_mel_bins: Annotated[int, Field(ge=8, le=256)]
    target_length: Annotated[int, Field(ge=8, le=8192)]
    frame_length_ms: Annotated[float, Field(ge=1, le=200)] = 25.0
    frame_shift_ms: Annotated[float, Field(ge=1, le=200)] = 10.0
    mean: float
    std: Positive

    @model_validator(mode="after")
    def _no_empty_bin(self) -> AudioSpec:
        """Kaldi's mel triangles span 20 Hz to half the rate; one between FFT frequencies hears nothing."""
        length = int(self.sample_rate * 0.001 * self.frame_length_ms)
        size = 1 << (length - 1).bit_length()
        heard = [_mel(k * self.sample_rate / size) for k in range(size // 2)]
        low, high = _mel(20), _mel(self.sample_rate / 2)
        step = (high - low) / (self.num_mel_bins + 1)
        for left in (low + i * step for i in range(self.num_mel_bins)):
            if bisect_right(heard, left) == bisect_left(heard, left + 2 * step):
                raise ValueError(f"{self.num_mel_bins} mel bins are too many for frames of {length} samples")
        return self


def _mel(hertz: float) -> float:
    return 1127 * log(1 + hertz / 700)


class VideoSpec(PictureSpec):
    """Frames -> `num_frames` sampled uniformly -> (3, num_frames, size, size) float32."""

    kind: Literal["video"] = "video"
    num_frames: Annotated[int, Field(ge=1, le=64)] = 8

    def resized(self, length: int, short: int) -> int:
        """As pytorchvideo, which divides first: at a few odd sizes, such as 112 x 115, one pixel less."""
        return int(length / short * self.size)


PreprocessSpec = Annotated[
    ImageSpec | ThermalSpec | DepthSpec | AudioSpec | VideoSpec, Field(discriminator="kind")
]
