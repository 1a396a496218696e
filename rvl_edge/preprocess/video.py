# SPDX-License-Identifier: Apache-2.0
"""Frames -> model input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadDtype, BadShape, InputError, NonFinite, TooShort
from rvl_edge.preprocess.image import as_picture, normalize
from rvl_edge.preprocess.resample import resample_centre
from rvl_edge.preprocess.spec import VideoSpec
from rvl_edge.types import FloatArray

Frames = npt.NDArray[np.uint8] | Sequence[npt.NDArray[np.uint8]]


def preprocess_video(
    frames: Frames, spec: VideoSpec, *, stamps: Sequence[float] | npt.NDArray[np.float64] | None = None
) -> FloatArray:
    """Sample `num_frames` frames uniformly and preprocess those as pictures.

    Args:
        frames: (T, H, W, 3) array, or sequence of T pictures of one size as `preprocess_image` takes them;
            uint8. Fewer than `num_frames` are repeated evenly, as in LanguageBind.
        spec: number of frames, size, kernel and statistics.
        stamps: seconds of each frame, rising. With them frames are sampled uniformly in time, so a clip with
            dropped frames is not squeezed; without them uniformly by index.

    Returns:
        (3, num_frames, size, size) float32, C-contiguous.

    Raises:
        TooShort: no frame.
        BadShape: frames of unlike or unreadable shape, or not one stamp a frame.
        BadDtype: no sequence, or frames that are not uint8.
        NonFinite: NaN or infinity in the stamps.
        InputError: stamps that do not rise.
    """
    if not isinstance(frames, (np.ndarray, Sequence)):
        raise BadDtype(
            "a clip of this type cannot be read",
            got=type(frames).__name__,
            expected="a uint8 array, or a sequence of them",
        )
    if isinstance(frames, np.ndarray) and frames.ndim != 4:
        raise BadShape("a clip of this shape cannot be read", got=frames.shape, expected="(T, H, W, 3)")
    if len(frames) == 0:
        raise TooShort("a clip without frames cannot be read", got="0 frames", expected="at least 1")
    # All of them: a frame that the encoder does not see is looked at by the monitors.
    pictures = [as_picture(frame) for frame in frames]
    shapes = {picture.shape for picture in pictures}
    if len(shapes) > 1:
        raise BadShape("the frames of a clip differ in shape", got=sorted(shapes), expected="one shape")
    clip = np.empty((3, spec.num_frames, spec.size, spec.size), np.float32)
    for t, picked in enumerate(sample_indices(len(frames), spec.num_frames, stamps)):
        clip[:, t] = normalize(resample_centre(pictures[picked], spec), spec, full_scale=255)
    return clip


def sample_indices(
    count: int, wanted: int, stamps: Sequence[float] | npt.NDArray[np.float64] | None = None
) -> list[int]:
    """Indices of `wanted` of `count` frames, uniform in time if stamped, else by index.

    By index this is LanguageBind's `np.linspace(0, count - 1, wanted, dtype=int)`; in time it is the newest
    frame at or before each of `wanted` evenly spaced instants, which is the same for evenly spaced stamps.
    """
    if stamps is None:
        return [int(i) for i in np.linspace(0, count - 1, wanted)]
    try:
        times = np.asarray(stamps, np.float64)
    except (TypeError, ValueError):
        raise BadDtype("the stamps are no numbers", got=stamps, expected="seconds") from None
    if times.shape != (count,):
        raise BadShape("the stamps do not match the frames", got=times.shape, expected=(count,))
    if not np.isfinite(times).all():
        raise NonFinite("a stamp is not a number", got=times[~np.isfinite(times)][0], expected="seconds")
    if not (np.diff(times) > 0).all():
        raise InputError(
            "the stamps of a clip do not rise",
            got=f"{np.diff(times).min():+.6f} s from one frame to the next",
            expected="later stamps on later frames",
            fix="drop repeated frames and start a new clip where the clock jumps",
        )
    instants = np.linspace(times[0], times[-1], wanted)
    before = np.clip(np.searchsorted(times, instants, side="right") - 1, 0, count - 1)
    after = np.minimum(before + 1, count - 1)
    # Rounding, of seconds since 1970 above all, may put an instant just before the frame it stands for.
    reached = instants >= times[after] - 1e-3 * (times[after] - times[before])
    return [int(i) for i in np.where(reached, after, before)]
