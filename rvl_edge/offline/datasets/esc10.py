# SPDX-License-Identifier: Apache-2.0
"""ESC-10 environmental sounds (Piczak 2015): folds in FLAC, or the official ESC-50 and ESC-10 folders."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.samples import Part, Samples
from rvl_edge.types import FloatArray

CLASSES = (
    "dog",
    "rooster",
    "rain",
    "sea waves",
    "crackling fire",
    "crying baby",
    "sneezing",
    "clock tick",
    "helicopter",
    "chainsaw",
)
FOLDS = {Part.TRAIN: (1, 2), Part.VALIDATION: (3,), Part.TEST: (4,)}

_RATE_HZ = 16_000
_SAMPLES = 5 * _RATE_HZ
_FOLDERS = {  # how the ESC-10 repository names its folders, after their number
    "dog bark": 0,
    "rooster": 1,
    "rain": 2,
    "sea waves": 3,
    "fire crackling": 4,
    "baby cry": 5,
    "person sneeze": 6,
    "clock tick": 7,
    "helicopter": 8,
    "chainsaw": 9,
}
_FAULTS = (OSError, KeyError, ValueError, IndexError, UnicodeDecodeError, soundfile.LibsndfileError)


def load_esc10(folder: Path, part: Part) -> Samples:
    """Read clips of five seconds as (N, 80000) float32 at 16 kHz.

    Args:
        folder: holds `esc10.csv` with `esc10_fold*_16k.flac`; or `meta/esc50.csv` with `audio/`, of which
            the ten classes are taken; or the class folders of the ESC-10 repository.
        part: folds 1 and 2, 3, or 4; the fifth is left for others to test on.

    Raises:
        ConfigError: none of these forms is there, or a file of it is broken.
    """
    try:
        clips = list(_clips(folder, FOLDS[part]))
    except _FAULTS as error:
        raise ConfigError(f"the set in {folder} is broken", got=repr(error), fix="copy it again") from None
    if not clips:
        raise ConfigError(
            "no ESC-10 there",
            got=folder,
            expected="esc10.csv, meta/esc50.csv or folders such as '001 - Dog bark'",
            fix="git clone https://github.com/karolpiczak/ESC-10",
        )
    labels = np.array([label for _, label in clips], np.int64)
    return Samples(np.stack([clip for clip, _ in clips]), labels, CLASSES, _RATE_HZ)


def _clips(folder: Path, folds: tuple[int, ...]) -> Iterator[tuple[FloatArray, int]]:
    if (folder / "esc10.csv").exists():
        return _from_folds(folder, folds)
    if (folder / "meta/esc50.csv").exists():
        return _from_esc50(folder, folds)
    return _from_class_folders(folder, folds)


def _from_folds(folder: Path, folds: tuple[int, ...]) -> Iterator[tuple[FloatArray, int]]:
    files = {fold: folder / f"esc10_fold{fold}_16k.flac" for fold in folds}
    sounds = {
        fold: soundfile.read(path, dtype="float32")[0].reshape(-1, _SAMPLES) for fold, path in files.items()
    }
    for row in _rows(folder / "esc10.csv"):
        if int(row["fold"]) in folds:
            yield sounds[int(row["fold"])][int(row["index_in_fold"])], int(row["label"])


def _from_esc50(folder: Path, folds: tuple[int, ...]) -> Iterator[tuple[FloatArray, int]]:
    for row in _rows(folder / "meta/esc50.csv"):
        if row["esc10"] == "True" and int(row["fold"]) in folds:
            yield _read(folder / "audio" / row["filename"]), CLASSES.index(row["category"].replace("_", " "))


def _from_class_folders(folder: Path, folds: tuple[int, ...]) -> Iterator[tuple[FloatArray, int]]:
    """Folders such as `001 - Dog bark`; the fold is the first digit of a file's name."""
    for path in sorted(folder.glob("[0-9][0-9][0-9] - */[1-5]-*")):
        name = path.parent.name.partition(" - ")[2].lower()
        if name in _FOLDERS and int(path.name[0]) in folds:
            yield _read(path), _FOLDERS[name]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _read(path: Path) -> FloatArray:
    """One clip, mono at 16 kHz, cut or padded with silence to five seconds."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(sound.mean(axis=1), rate, _RATE_HZ, quality="VHQ")[:_SAMPLES]
    return np.pad(mono, (0, _SAMPLES - len(mono))).astype(np.float32)
