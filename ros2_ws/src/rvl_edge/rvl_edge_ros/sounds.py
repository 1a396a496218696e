# SPDX-License-Identifier: Apache-2.0
"""rvl_edge_msgs/AudioChunk <-> PCM arrays."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import numpy.typing as npt
from rvl_edge_msgs.msg import AudioChunk

from rvl_edge.errors import BadEncoding, BadShape, TooShort

MAX_CHANNELS = 64
MAX_RATE_HZ = 768_000
FORMATS: dict[str, np.dtype[Any]] = {
    "U8": np.dtype("u1"),
    "S16LE": np.dtype("<i2"),
    "S16BE": np.dtype(">i2"),
    "S32LE": np.dtype("<i4"),
    "S32BE": np.dtype(">i4"),
    "F32LE": np.dtype("<f4"),
    "F32BE": np.dtype(">f4"),
}


def decode(chunk: AudioChunk) -> npt.NDArray[Any]:
    """View a chunk's samples.

    Returns:
        (N, channels) uint8, int16, int32 or float32 in this machine's byte order; a view of the message's own
        memory where that is the message's order too.

    Raises:
        BadEncoding: another format, or a rate or number of channels that no sound has.
        TooShort: no sample.
        BadShape: a last sample that is incomplete.
    """
    dtype = FORMATS.get(chunk.sample_format)
    if dtype is None:
        raise BadEncoding(
            "this sound format is not read",
            got=repr(chunk.sample_format[:40]),
            expected=", ".join(FORMATS),
            fix="publish uncompressed PCM",
        )
    if not (0 < chunk.sample_rate <= MAX_RATE_HZ and 0 < chunk.channels <= MAX_CHANNELS):
        raise BadEncoding(
            "no sound has this rate or number of channels",
            got=f"{chunk.sample_rate} Hz, {chunk.channels} channels",
            expected=f"1 to {MAX_RATE_HZ} Hz, 1 to {MAX_CHANNELS} channels",
        )
    frame = chunk.channels * dtype.itemsize
    if len(chunk.data) == 0:
        raise TooShort("a chunk of sound is empty", got="0 bytes", expected=f"at least {frame} bytes")
    if len(chunk.data) % frame:
        raise BadShape(
            "a chunk of sound ends inside a sample",
            got=f"{len(chunk.data)} bytes",
            expected=f"a multiple of {frame}: {chunk.channels} channels of {chunk.sample_format}",
        )
    samples: npt.NDArray[Any] = np.frombuffer(chunk.data, dtype).reshape(-1, chunk.channels)
    return samples.astype(dtype.newbyteorder("="), copy=False)


def fill(chunk: AudioChunk, pcm: npt.NDArray[Any], sample_rate: int) -> None:
    """Put sound into a chunk, leaving its header alone.

    Args:
        chunk: what to fill.
        pcm: (N, channels) uint8, int16, int32, or float32 in [-1, 1].
        sample_rate: Hz.
    """
    little_endian = pcm.astype(pcm.dtype.newbyteorder("<"), copy=False)
    chunk.sample_format = next(name for name, dtype in FORMATS.items() if dtype == little_endian.dtype)
    chunk.sample_rate, chunk.channels = sample_rate, pcm.shape[1]
    chunk.data = array.array("B", little_endian.tobytes())
