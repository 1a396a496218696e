# SPDX-License-Identifier: Apache-2.0
"""HIT-UAV thermal chips (Suo et al. 2023): archives of chips, or the official frames and boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.archive import open_archive
from rvl_edge.offline.datasets.hit_uav_frames import chips_from_frames
from rvl_edge.offline.datasets.samples import Part, Samples, shuffled_cut

CLASSES = ("person", "car", "bicycle", "background")

_ARCHIVE_LABELS = np.array([0, 1, 2, -1, 3])  # other vehicles are too few to learn


def load_hit_uav(folder: Path, part: Part) -> Samples:
    """Read one part as (N, 64, 64) uint8 chips of four classes.

    The official parts interleave the frames of one flight, so none of them is a test of the others. Here
    whole flights are kept together.

    Args:
        folder: holds `hit_uav_chips64_{train,val}.npz`, of which `TEST` is the validation file; or
            `normal_json/` of the official repository, of whose flights `TEST` is a fifth.
        part: `VALIDATION` is a tenth of the training part, whole frames or flights of it.

    Raises:
        ConfigError: neither form is there, or a file of it is broken.
    """
    archive = folder / f"hit_uav_chips64_{'val' if part is Part.TEST else 'train'}.npz"
    if archive.exists():
        arrays = open_archive(archive, ("images", "labels", "frame"))
        labels = _ARCHIVE_LABELS[arrays["labels"]]
        known = labels >= 0
        samples = Samples(arrays["images"][known], labels[known], CLASSES)
        groups = arrays["frame"][known].astype(np.int64)
    elif (folder / "normal_json").is_dir():
        chips, labels, groups = chips_from_frames(folder / "normal_json", test=part is Part.TEST)
        samples = Samples(chips, labels, CLASSES)
    else:
        raise ConfigError(
            "no HIT-UAV there",
            got=folder,
            expected=f"{archive.name} or normal_json/",
            fix="git clone https://github.com/suojiashun/HIT-UAV-Infrared-Thermal-Dataset",
        )
    return samples if part is Part.TEST else shuffled_cut(samples, groups, part)
