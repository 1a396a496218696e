# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from rvl_edge.errors import BadEncoding, MissingDependency
from rvl_edge.media import AudioSample, read_sample


def write_wav(path: Path, data: bytes, *, width: int = 2, channels: int = 1, rate: int = 16000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setsampwidth(width)
        file.setnchannels(channels)
        file.setframerate(rate)
        file.writeframes(data)
    return path


@pytest.mark.parametrize(("width", "dtype"), [(1, "u1"), (2, "<i2"), (4, "<i4")])
def test_pcm_wav_is_read_as_it_is(tmp_path: Path, width: int, dtype: str) -> None:
    pcm = np.random.default_rng(0).integers(0, 256, 1000 * 2 * width, np.uint8).view(dtype).reshape(1000, 2)
    sample = read_sample(write_wav(tmp_path / "a.wav", pcm.tobytes(), width=width, channels=2, rate=44100))
    assert isinstance(sample, AudioSample)
    assert sample.sample_rate == 44100
    np.testing.assert_array_equal(sample.pcm, pcm)


def test_24_bit_wav_is_scaled_to_32_bits(tmp_path: Path) -> None:
    values = np.array([0, 1, -1, 2**23 - 1, -(2**23), 1234567])
    data = b"".join(int(value).to_bytes(3, "little", signed=True) for value in values)
    sample = read_sample(write_wav(tmp_path / "a.wav", data, width=3))
    assert isinstance(sample, AudioSample)
    np.testing.assert_array_equal(sample.pcm[:, 0], values * 256)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.flac", "PCM_16"), ("a.ogg", "VORBIS"), ("a.wav", "FLOAT"), ("a.wav", "ULAW"), ("a.aiff", "PCM_24")],
)
def test_other_sounds_are_read_by_soundfile(tmp_path: Path, name: str, subtype: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    tone = 0.5 * np.sin(np.arange(8000) * 2 * np.pi * 440 / 16000)
    soundfile.write(tmp_path / name, np.stack([tone, -tone], axis=1), 16000, subtype=subtype)
    sample = read_sample(tmp_path / name)
    assert isinstance(sample, AudioSample)
    assert sample.sample_rate == 16000
    assert sample.pcm.shape == (8000, 2)
    middle = slice(1000, 7000)
    np.testing.assert_allclose(sample.pcm[middle, 0], tone[middle], atol=0.05)


def test_only_plain_wav_does_without_soundfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile = pytest.importorskip("soundfile")
    plain = write_wav(tmp_path / "a.wav", bytes(3200))
    soundfile.write(tmp_path / "a.flac", np.zeros(1600), 16000)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    assert isinstance(read_sample(plain), AudioSample)
    with pytest.raises(MissingDependency, match=r"rvl-edge-sdk\[media\]"):
        read_sample(tmp_path / "a.flac")


def test_wav_shorter_than_its_header_says_is_refused(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", bytes(3200))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadEncoding, match=r"got .*3100 bytes of sound, expected 3200"):
        read_sample(path)


@pytest.mark.parametrize(
    ("riff", "size"), [(0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFFF24, 0x7FFFFF00), (0x7FFFF024, 0x7FFFF000)]
)
def test_wav_of_who_could_not_go_back_to_write_its_size_is_read_whole(
    tmp_path: Path, riff: int, size: int
) -> None:
    pcm = np.arange(-800, 800, dtype="<i2").reshape(-1, 2)
    path = write_wav(tmp_path / "a.wav", pcm.tobytes(), channels=2)
    content = bytearray(path.read_bytes())
    assert content[36:40] == b"data"
    content[4:8], content[40:44] = riff.to_bytes(4, "little"), size.to_bytes(4, "little")
    path.write_bytes(content + b"\x01")  # killed within a frame
    sample = read_sample(path)
    assert isinstance(sample, AudioSample)
    np.testing.assert_array_equal(sample.pcm, pcm)


@pytest.mark.parametrize("name", ["a.flac", "a.ogg"])
def test_sound_that_is_only_a_head_is_refused(tmp_path: Path, name: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(16000), 16000, format=name[2:].upper())
    (tmp_path / name).write_bytes(buffer.getvalue()[:20])
    with pytest.raises(BadEncoding):
        read_sample(tmp_path / name)
