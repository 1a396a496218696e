# SPDX-License-Identifier: Apache-2.0
"""Damaged files are read as far as they go or refused with InputError."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from rvl_edge.errors import InputError
from rvl_edge.media import Sample, read_sample

av = pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")

pytestmark = pytest.mark.timeout(1800)  # hundreds of files on a busy machine


def picture(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((2, 2, 16000, 0, "NONE", ""))
        writer.writeframes(np.random.default_rng(0).bytes(1600))
    return file.getvalue()


def flac() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(0).normal(0, 0.1, 1600), 16000, format="FLAC")
    return file.getvalue()


def video(container_format: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for i in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((16, 32, 3), 40 * i, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(99, dtype=np.uint16).reshape(9, 11))
    return file.getvalue()


NOISE = np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)
FILES = {
    "png": picture(".png", NOISE),
    "jpg": picture(".jpg", NOISE),
    "tiff": picture(".tiff", NOISE[..., 0].astype(np.uint16)),
    "wav": wav(),
    "flac": flac(),
    "mp4": video("mp4"),
    "mkv": video("matroska"),
    "npy": array(),
}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(FILES[draw(st.sampled_from(sorted(FILES)))])
    spots = st.integers(0, len(data) - 1) | st.integers(0, min(200, len(data) - 1))
    for at, byte in draw(st.lists(st.tuples(spots, st.integers(0, 255)), max_size=8)):
        data[at] = byte
    return bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))])


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_whole_file_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(FILES[name])
    assert isinstance(read_sample(tmp_path / "a"), Sample)


@settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=damaged(), modality=st.sampled_from([None, None, "image", "thermal", "depth", "audio", "video"]))
def test_damaged_files(tmp_path: Path, data: bytes, modality: str | None) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    try:
        sample = read_sample(path, modality)
    except InputError as error:
        event(type(error).__name__)
        return
    event("read")
    assert isinstance(sample, Sample)
    assert modality in (None, sample.modality)
