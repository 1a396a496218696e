# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import array
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rvl_edge_ros.sounds", reason="needs ROS 2; see docs/ros.md")

from rvl_edge_msgs.msg import AudioChunk
from rvl_edge_ros.sounds import decode, fill

from rvl_edge.errors import BadEncoding, BadShape, InputError, TooShort

pytestmark = pytest.mark.ros

CODES = {"U8": "=B", "S16LE": "<h", "S16BE": ">h", "S32LE": "<i", "S32BE": ">i", "F32LE": "<f", "F32BE": ">f"}


def chunk(data: bytes, sample_format: str = "S16LE", rate: int = 16000, channels: int = 2) -> AudioChunk:
    message = AudioChunk(sample_rate=rate, channels=channels, sample_format=sample_format)
    message.data = array.array("B", data)
    return message


@pytest.mark.parametrize("sample_format", CODES)
def test_samples_come_back_as_struct_wrote_them(sample_format: str) -> None:
    numbers = [3, 100, 7, 90, 0, 1]
    order, code = CODES[sample_format]
    pcm = decode(chunk(struct.pack(f"{order}6{code}", *numbers), sample_format))
    assert pcm.dtype.isnative
    np.testing.assert_array_equal(pcm, np.reshape(numbers, (3, 2)))


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (chunk(bytes(8), "mp3"), BadEncoding),
        (chunk(bytes(8), ""), BadEncoding),
        (chunk(bytes(8), rate=0), BadEncoding),
        (chunk(bytes(8), rate=2**31), BadEncoding),
        (chunk(bytes(8), channels=0), BadEncoding),
        (chunk(bytes(400), channels=200), BadEncoding),
        (chunk(b""), TooShort),
        (chunk(bytes(7)), BadShape),
        (chunk(bytes(6)), BadShape),
    ],
)
def test_what_is_no_pcm_is_refused(message: AudioChunk, error: type[InputError]) -> None:
    with pytest.raises(error):
        decode(message)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_what_is_filled_in_comes_out(dtype: type) -> None:
    pcm = np.arange(10).reshape(5, 2).astype(dtype)
    message = AudioChunk()
    fill(message, pcm, 44100)
    assert message.sample_rate == 44100
    np.testing.assert_array_equal(decode(message), pcm)
    assert decode(message).dtype == dtype


@settings(max_examples=1000, deadline=None)
@given(
    st.sampled_from([*CODES, "S24LE", ""]),
    st.integers(0, 2**32 - 1),
    st.integers(0, 255) | st.integers(0, 3),
    st.binary(max_size=64),
)
def test_any_chunk_gives_its_samples_or_an_input_error(
    sample_format: str, rate: int, channels: int, data: bytes
) -> None:
    try:
        pcm = decode(chunk(data, sample_format, rate, channels))
    except InputError:
        return
    assert pcm.nbytes == len(data)
    assert pcm.shape[1] == channels
