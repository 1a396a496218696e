# SPDX-License-Identifier: Apache-2.0
"""Sound files: plain PCM wav by the standard library, all else by libsndfile."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from rvl_edge.errors import BadEncoding, MissingDependency
from rvl_edge.media.samples import AudioSample

# Bytes. Who writes to a pipe, or is killed, leaves a size of about 2 or 4 GiB: the sound goes on to the end.
_PLACEHOLDER = 0x7FFF0000


def is_sound(head: bytes) -> bool:
    """Whether a file that begins so is a sound that libsndfile knows by its first bytes."""
    return (
        (head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE")
        or (head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"))
        or head[:4] in (b"fLaC", b"OggS", b".snd", b"caff")
        or head[:3] == b"ID3"
        or head[:2] in (b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2")  # mp3 without a tag
    )


def read_sound(path: Path) -> AudioSample:
    """Read a whole sound at its own rate, with all its channels.

    Raises:
        BadEncoding: damaged, truncated or of an unknown encoding.
        MissingDependency: anything but plain PCM wav, and soundfile is not installed.
    """
    try:
        with wave.open(str(path)) as file:
            if file.getsampwidth() <= 4:
                return _read_wav(file, path)
    except (wave.Error, EOFError, RuntimeError):  # RuntimeError: a chunk longer than the file
        pass
    return _read_by_soundfile(path)


def _read_wav(file: wave.Wave_read, path: Path) -> AudioSample:
    width, channels, count = file.getsampwidth(), file.getnchannels(), file.getnframes()
    frame = channels * width
    if count * frame >= _PLACEHOLDER:
        data = file.readframes(path.stat().st_size // frame)
        count = len(data) // frame
        data = data[: count * frame]
    else:
        data = file.readframes(count)
    if len(data) != count * frame:
        raise BadEncoding(
            "a wav file ends early",
            got=f"{path}: {len(data)} bytes of sound",
            expected=f"{count * frame} bytes, as its header says",
            fix="copy or record the file again",
        )
    if width == 3:  # 24 bits become the upper three bytes of 32
        padded = np.zeros((count * channels, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        pcm = padded.view("<i4")
    else:
        pcm = np.frombuffer(data, {1: "u1", 2: "<i2", 4: "<i4"}[width])
    return AudioSample(pcm.reshape(count, channels), file.getframerate())


def _read_by_soundfile(path: Path) -> AudioSample:
    try:
        import soundfile
    except ImportError as error:
        raise MissingDependency(
            "sounds other than plain PCM wav need soundfile",
            got=path,
            fix="pip install 'rvl-edge-sdk[media]'",
        ) from error
    try:
        pcm, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise BadEncoding("a sound cannot be decoded", got=f"{path}: {error}") from error
    return AudioSample(pcm, rate)
