# SPDX-License-Identifier: Apache-2.0
"""ESC-10 environmental sounds (Piczak 2015): folds in FLAC, or the official ESC-10 and ESC-50 folders."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.samples import Part, Samples

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
RATE_HZ = 16_000
SECONDS = 5
FOLDS = {Part.TRAIN: (1, 2), Part.VALIDATION: (3,), Part.TEST: (4,)}


def load_esc10(folder: Path, part: Part) -> Samples:
    """Read clips of five seconds as (N, 80000) float32 at 16 kHz.

    Args:
        folder: holds `esc10.csv` with `esc10_fold*_16k.flac`, or `meta/esc50.csv` with `audio/`, or the
            ESC-10 repository's class folders.
        part: folds 1 and 2, 3, or 4; the fifth is left for others to test on.

    Raises:
        ConfigError: none of these forms is there, or a file of it is broken.
    """
    if (folder / "esc10.csv").exists():
        return _from_folds(folder, FOLDS[part])
    raise ConfigError("no ESC-10 there", got=folder)


def _from_folds(folder: Path, folds: tuple[int, ...]) -> Samples:
    with (folder / "esc10.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["fold"]) in folds]
    sounds = {
        fold: soundfile.read(folder / f"esc10_fold{fold}_16k.flac", dtype="float32")[0].reshape(
            -1, RATE_HZ * SECONDS
        )
        for fold in folds
    }
    clips = np.stack([sounds[int(row["fold"])][int(row["index_in_fold"])] for row in rows])
    labels = np.array([int(row["label"]) for row in rows], np.int64)
    return Samples(clips, labels, CLASSES, RATE_HZ)
