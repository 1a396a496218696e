# SPDX-License-Identifier: Apache-2.0
"""HIT-UAV thermal chips (Suo et al. 2023): archives of chips, or the official frames and boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.archive import open_archive
from rvl_edge.offline.datasets.samples import Part, Samples, shuffled_cut

CLASSES = ("person", "car", "bicycle", "background")
CHIP_PIXELS = 64


def load_hit_uav(folder: Path, part: Part) -> Samples:
    """Read one part as (N, 64, 64) uint8 chips of four classes.

    The set's fifth class, other vehicles, is too rare to learn and is left out. `TEST` is the set's
    validation part, whose flights are others than those of `TRAIN`.

    Args:
        folder: holds `hit_uav_chips64_{train,val}.npz`, or `normal_json/` of the official repository.
        part: `VALIDATION` is a tenth of the training chips, whole frames of them.

    Raises:
        ConfigError: neither form is there, or a file of it is broken.
    """
    archive = folder / f"hit_uav_chips64_{'val' if part is Part.TEST else 'train'}.npz"
    if not archive.exists():
        raise ConfigError("no HIT-UAV there", got=folder)
    arrays = open_archive(archive, ("images", "labels", "frame"))
    labels = arrays["labels"].astype(np.int64)
    known = labels != 3
    labels = np.where(labels == 4, 3, labels)[known]
    samples = Samples(arrays["images"][known], labels, CLASSES)
    if part is Part.TEST:
        return samples
    return shuffled_cut(samples, arrays["frame"][known].astype(np.int64), part)
