# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from rvl_edge.errors import BadEncoding, InputError
from rvl_edge.media import check_beginning, read_sample
from rvl_edge.types import Modality

PICTURE = {Modality.IMAGE, Modality.THERMAL, Modality.DEPTH}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello\n" * 100,
        b"#EXTM3U\n#EXTINF:1,\nhttp://example.com/a.ts\n",
        b"ffconcat version 1.0\nfile '/etc/hostname'\n",
        bytes(4096),
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"\x93NUMPY\x01\x00",
        b"\x89PNG\r\n\x1a\n",
        b"fLaC",
        b"\x1a\x45\xdf\xa3",
    ],
)
def test_unknown_and_empty_files_are_refused(tmp_path: Path, data: bytes) -> None:
    pytest.importorskip("av")
    pytest.importorskip("soundfile")
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(BadEncoding):
        read_sample(tmp_path / "a")


def test_file_of_another_sense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(3200))
    with pytest.raises(BadEncoding, match=r"got .*audio, expected image"):
        read_sample(path, "image")


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(InputError, match="cannot be opened"):
            read_sample(path)


@pytest.mark.parametrize(
    ("name", "senses"),
    [
        ("grey.png", PICTURE),
        ("colour.png", PICTURE),
        ("picture.npy", PICTURE),
        ("clip.npy", {Modality.VIDEO}),
        ("sound.wav", {Modality.AUDIO}),
        ("readme.txt", set()),
        ("empty.jpg", set()),
    ],
)
def test_the_beginning_tells_the_senses_that_a_file_can_be_read_as(
    tmp_path: Path, name: str, senses: set[Modality]
) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.zeros((8, 8), np.uint16))
    cv2.imwrite(str(tmp_path / "colour.png"), np.zeros((8, 8, 3), np.uint8))
    np.save(tmp_path / "picture.npy", np.zeros((8, 8), np.uint16))
    np.save(tmp_path / "clip.npy", np.zeros((3, 8, 8, 3), np.uint8))
    (tmp_path / "readme.txt").write_text("taken on Monday")
    (tmp_path / "empty.jpg").write_bytes(b"")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(3200))
    for sense in Modality:
        if sense in senses:
            check_beginning(tmp_path / name, sense)
            read_sample(tmp_path / name, sense)
        elif not (sense is Modality.VIDEO and name.endswith(".png")):  # FFmpeg decides, when it is read
            with pytest.raises(InputError):
                check_beginning(tmp_path / name, sense)
