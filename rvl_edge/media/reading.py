# SPDX-License-Identifier: Apache-2.0
"""One file -> one sample, by what is in it and not by its name."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadEncoding, BadShape, InputError
from rvl_edge.media.array import is_array, read_array
from rvl_edge.media.picture import is_picture, read_picture, to_8_bit
from rvl_edge.media.samples import DepthSample, ImageSample, Sample, ThermalSample, VideoSample
from rvl_edge.media.sound import is_sound, read_sound
from rvl_edge.media.video import read_video
from rvl_edge.types import Modality


class _Kind(Enum):
    """What a file holds, for people."""

    ARRAY = "an array"
    PICTURE = "a picture"
    SOUND = "sound"
    VIDEO = "video"


_SENSES = {
    _Kind.PICTURE: (Modality.IMAGE, Modality.THERMAL, Modality.DEPTH),
    _Kind.SOUND: (Modality.AUDIO,),
    _Kind.VIDEO: (Modality.VIDEO,),
}


def read_sample(path: Path | str, modality: Modality | str | None = None) -> Sample:
    """Read a colour, thermal or depth picture, a sound or a video from a file.

    Without `modality` the sense is guessed: sounds and videos by their first bytes; pictures and arrays are
    thermal where they have one channel of more than 8 bits, and images otherwise. Depth is never guessed: its
    files look like thermal ones.

    Args:
        path: a picture, a wav, flac or ogg, a video, or an .npy array of (H, W) or (H, W, C) pixels or
            (T, H, W, 3) frames.
        modality: read the file as this sense instead, such as depth, or an 8-bit thermal picture.

    Raises:
        InputError: no such file, or one that cannot be opened.
        BadEncoding: unknown, damaged or truncated, or not of the wanted sense.
        BadShape: an array that is no picture and no clip.
        MissingDependency: the file needs the `media` extra.
    """
    path = Path(path)
    wanted = None if modality is None else Modality(modality)
    sample = _read(path, _head(path), wanted)
    if wanted not in (None, sample.modality):
        raise _not_read_as(wanted, path, sample.modality)
    return sample


def check_beginning(path: Path | str, modality: Modality | str) -> None:
    """Refuse a file that does not begin as one of the sense, without decoding it.

    A look over a folder before long work: strays are found at once. A file that is damaged further on, or a
    picture of the wrong number of channels, is not found before it is read.

    Args:
        path: as `read_sample`.
        modality: what it is to be read as.

    Raises:
        InputError: no such file, or one that cannot be opened.
        BadEncoding: of an unknown kind, or not of the sense.
    """
    path, wanted = Path(path), Modality(modality)
    kind = _kind(path, _head(path), wanted)
    if kind is _Kind.ARRAY:
        kind = _Kind.VIDEO if read_array(path).ndim == 4 else _Kind.PICTURE
    if wanted not in _SENSES[kind]:
        raise _not_read_as(wanted, path, kind.value)


def raw_frames(path: Path | str) -> list[npt.NDArray[Any]]:
    """Read a thermal or depth picture as it is, or map an .npy stack of them without loading it.

    Args:
        path: a picture, or an .npy array (H, W), (H, W, 3) or (T, H, W).

    Returns:
        Pictures (H, W) or (H, W, 3) of the file's own type.

    Raises:
        InputError: as `read_sample`.
    """
    path = Path(path)
    pixels = read_array(path) if is_array(_head(path)) else read_picture(path)
    if pixels.ndim not in (2, 3):
        raise BadShape("an array is no stack of pictures", got=pixels.shape, expected="(T, H, W)")
    return list(pixels) if pixels.ndim == 3 and pixels.shape[2] not in (1, 3) else [pixels]


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1024)
    except OSError as error:
        raise InputError("a file cannot be opened", got=f"{path}: {error.strerror}") from error


def _read(path: Path, head: bytes, wanted: Modality | None) -> Sample:
    kind = _kind(path, head, wanted)
    if kind is _Kind.ARRAY:
        return _from_pixels(read_array(path), wanted)
    if kind is _Kind.SOUND:
        return read_sound(path)
    if kind is _Kind.PICTURE:
        return _from_pixels(read_picture(path), wanted)
    return read_video(path)


def _kind(path: Path, head: bytes, wanted: Modality | None) -> _Kind:
    if is_array(head):
        return _Kind.ARRAY
    if is_sound(head):
        return _Kind.SOUND
    if is_picture(path) and wanted is not Modality.VIDEO:
        return _Kind.PICTURE
    # FFmpeg would take a text for subtitles or a playlist.
    if not head or _is_text(head):
        raise BadEncoding(
            "a file is no picture, sound, video or array",
            got=f"{path}: {'text' if head else 'nothing'}",
            expected="PNG, JPEG, TIFF, wav, flac, ogg, mp4, mkv, avi or npy",
        )
    return _Kind.VIDEO


def _not_read_as(wanted: Modality | None, path: Path, held: str) -> BadEncoding:
    return BadEncoding(
        f"a file cannot be read as {wanted}", got=f"{path}, which holds {held}", expected=wanted
    )


def _is_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f\x1b" for byte in head)


def _from_pixels(pixels: npt.NDArray[Any], wanted: Modality | None) -> Sample:
    if pixels.ndim == 4:
        return VideoSample(pixels, stamps=None)
    if pixels.ndim not in (2, 3):
        raise BadShape(
            "an array is no picture and no clip",
            got=pixels.shape,
            expected="(H, W), (H, W, C) or (T, H, W, 3)",
            fix="write sound as wav, which says its rate",
        )
    if wanted is Modality.DEPTH:
        return DepthSample(pixels)
    single = pixels.ndim == 2 or pixels.shape[2] == 1
    if wanted is Modality.THERMAL or (wanted is None and single and pixels.dtype != np.uint8):
        return ThermalSample(pixels)
    return ImageSample(to_8_bit(pixels))
