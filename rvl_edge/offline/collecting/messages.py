# SPDX-License-Identifier: Apache-2.0
"""Messages of a recording -> files that lose nothing of them.

The messages come as plain objects with the fields of their definition; nothing of ROS is installed here.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadEncoding, BadShape, InputError
from rvl_edge.offline.collecting import audio_common
from rvl_edge.preprocess.audio import MAX_CHANNELS, RATES_HZ
from rvl_edge.types import Modality

PICTURES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
SOUNDS = ("rvl_edge_msgs/msg/AudioChunk", *audio_common.TYPES)
TYPES: dict[Modality, tuple[str, ...]] = {
    **dict.fromkeys((Modality.IMAGE, Modality.THERMAL, Modality.DEPTH, Modality.VIDEO), PICTURES),
    Modality.AUDIO: SOUNDS,
}

_FRAMES = 16  # of a clip; encoders take 8 of them

_LAYOUTS = {  # type, channels, order of colours
    "rgb8": ("u1", 3, "rgb"),
    "bgr8": ("u1", 3, "bgr"),
    "rgba8": ("u1", 4, "rgb"),
    "bgra8": ("u1", 4, "bgr"),
    "mono8": ("u1", 1, ""),
    "8UC1": ("u1", 1, ""),
    "mono16": ("u2", 1, ""),
    "16UC1": ("u2", 1, ""),
    "32FC1": ("f4", 1, ""),
}
_SOUNDS = {
    "U8": "u1",
    "S16LE": "<i2",
    "S16BE": ">i2",
    "S32LE": "<i4",
    "S32BE": ">i4",
    "F32LE": "<f4",
    "F32BE": ">f4",
}
_MAX_GAP = 100_000_000  # nanoseconds, as a node's `audio.max_gap` is unless it was set


@dataclass(frozen=True)
class Stored:
    """A sample as a file: its name's ending, and its bytes."""

    suffix: str
    content: bytes


def store(messages: Sequence[Any], modality: Modality) -> Stored:
    """Make one file of the messages of one sample.

    Args:
        messages: one picture; or all pictures or sounds of a window, in order.
        modality: what they are a sample of.

    Raises:
        BadEncoding: an encoding that is not read, or messages that disagree.
        BadShape: size and data that disagree.
    """
    if modality is Modality.AUDIO:
        return _sound(messages)
    if modality is Modality.VIDEO:
        rows = np.unique(np.linspace(0, len(messages) - 1, _FRAMES).astype(int))
        frames = [_colour(_pixels(messages[row])) for row in rows]
        if len({frame.shape for frame in frames}) > 1:
            raise BadEncoding("pictures of one clip differ in size", got={each.shape for each in frames})
        return _array(np.stack(frames))
    message = messages[0]
    if hasattr(message, "format"):  # CompressedImage: its own bytes are the file
        return Stored(_compressed_suffix(message), bytes(message.data))
    pixels = _pixels(message)
    return _array(pixels) if pixels.dtype == np.float32 else _png(pixels)


def check_joined(chunks: Sequence[tuple[int, Any]]) -> None:
    """Refuse sound with a gap, which an encoder would hear as a click and as less time than went by.

    Args:
        chunks: each with the nanoseconds at which it was recorded, for one whose header has no stamp.

    Raises:
        InputError: a chunk does not begin where the one before ended.
        BadEncoding, BadShape: as `store`.
    """
    rate, channels, dtype = _sound_format([chunk for _, chunk in chunks])
    end: int | None = None
    for recorded, chunk in chunks:
        begin = chunk.header.stamp.sec * 1_000_000_000 + chunk.header.stamp.nanosec or recorded
        if end is not None and abs(begin - end) > _MAX_GAP:
            raise InputError(
                "the sound of a window is not in one piece",
                got=f"{1e-9 * (begin - end):+.3f} s between two chunks",
                expected=f"at most {1e-9 * _MAX_GAP:g} s",
            )
        samples = len(chunk.data) // (channels * dtype.itemsize)
        end = begin + samples * 1_000_000_000 // rate


def _pixels(message: Any) -> npt.NDArray[Any]:
    """(H, W) or (H, W, 3) RGB, in this machine's byte order."""
    if hasattr(message, "format"):
        _compressed_suffix(message)
        picture = cv2.imdecode(np.asarray(message.data, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise BadEncoding("a compressed picture is damaged", got=message.format)
        return np.ascontiguousarray(picture[..., ::-1])
    if message.encoding not in _LAYOUTS:
        raise BadEncoding(
            "this picture encoding is not read", got=message.encoding, expected=", ".join(_LAYOUTS)
        )
    code, channels, order = _LAYOUTS[message.encoding]
    dtype = np.dtype(code).newbyteorder(">" if message.is_bigendian else "<")
    data, width = np.asarray(message.data, np.uint8), message.width * channels * dtype.itemsize
    if message.step < width or len(data) < message.step * message.height or not width * message.height:
        raise BadShape(
            "a picture's size and data disagree",
            got=f"{message.width} x {message.height}, step {message.step}, {len(data)} bytes",
        )
    rows = data[: message.step * message.height].reshape(message.height, message.step)[:, :width]
    pixels: npt.NDArray[Any] = (
        np.ascontiguousarray(rows).view(dtype).reshape(message.height, message.width, channels)
    )
    pixels = pixels.astype(dtype.newbyteorder("="), copy=False)
    if channels == 1:
        return np.ascontiguousarray(pixels[..., 0])
    return np.ascontiguousarray(pixels[..., 2::-1] if order == "bgr" else pixels[..., :3])


def _colour(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if pixels.dtype != np.uint8:
        raise BadEncoding("a clip is made of 8-bit pictures", got=pixels.dtype)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def _compressed_suffix(message: Any) -> str:
    head = bytes(message.data[:8])
    suffix = {b"\xff\xd8": ".jpg", b"\x89P": ".png"}.get(head[:2])
    if suffix is None:
        raise BadEncoding(
            "this compressed picture is not read",
            got=message.format,
            expected="jpeg or png",
            fix="record the raw topic; compressedDepth is no picture file",
        )
    return suffix


def _sound(messages: Sequence[Any]) -> Stored:
    rate, channels, dtype = _sound_format(messages)
    pcm = np.concatenate([np.frombuffer(bytes(each.data), dtype) for each in messages])
    return Stored(".wav", _wav(pcm.astype(pcm.dtype.newbyteorder("<")), rate, channels))


def _sound_format(messages: Sequence[Any]) -> tuple[int, int, np.dtype[Any]]:
    """Rate in Hz, channels and type of samples that all of a sound's chunks have."""
    kinds = {(each.sample_rate, each.channels, each.sample_format) for each in messages}
    ((rate, channels, kind), *others) = sorted(kinds)
    if others or kind not in _SOUNDS or not (0 < rate <= RATES_HZ[1] and 0 < channels <= MAX_CHANNELS):
        raise BadEncoding(
            "chunks of this sound are not read",
            got=kinds,
            expected=f"one rate and number of channels, and one of {list(_SOUNDS)}",
        )
    dtype = np.dtype(_SOUNDS[kind])
    frame = channels * dtype.itemsize
    for each in messages:
        if len(each.data) % frame:
            raise BadShape(
                "a chunk of sound ends inside a sample",
                got=f"{len(each.data)} bytes",
                expected=f"a multiple of {frame}: {channels} channels of {kind}",
            )
    return rate, channels, dtype


def _wav(pcm: npt.NDArray[Any], rate: int, channels: int) -> bytes:
    """RIFF by hand: the standard library writes no floats."""
    data, size = pcm.tobytes(), pcm.dtype.itemsize
    kind = 3 if pcm.dtype.kind == "f" else 1
    form = np.array([rate, rate * channels * size], "<u4").tobytes()
    form = np.array([kind, channels], "<u2").tobytes() + form
    form += np.array([channels * size, 8 * size], "<u2").tobytes()
    chunks = b"WAVEfmt " + _size(form) + form + b"data" + _size(data) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + _size(chunks) + chunks


def _size(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little")


def _png(pixels: npt.NDArray[Any]) -> Stored:
    done, content = cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    assert done  # 8 and 16 bits of 1 and 3 channels are what PNG holds
    return Stored(".png", content.tobytes())


def _array(values: npt.NDArray[Any]) -> Stored:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return Stored(".npy", file.getvalue())
