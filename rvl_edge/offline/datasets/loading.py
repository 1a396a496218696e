# SPDX-License-Identifier: Apache-2.0
"""The labelled set of each sense."""

from __future__ import annotations

from pathlib import Path

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.cifar10 import load_cifar10
from rvl_edge.offline.datasets.esc10 import load_esc10
from rvl_edge.offline.datasets.hit_uav import load_hit_uav
from rvl_edge.offline.datasets.samples import Part, Samples
from rvl_edge.types import Modality

FOLDERS = {
    Modality.IMAGE: "cifar10",
    Modality.THERMAL: "hit_uav_thermal",
    Modality.AUDIO: "esc10",
    Modality.VIDEO: "cifar10",
}
_LOADERS = {
    Modality.IMAGE: load_cifar10,
    Modality.THERMAL: load_hit_uav,
    Modality.AUDIO: load_esc10,
    Modality.VIDEO: load_cifar10,
}


def load_part(modality: Modality, data: Path, part: Part) -> Samples:
    """Read one part of the set of a sense; stills for video, which is simulated from them.

    Args:
        modality: the sense.
        data: folder that holds `cifar10`, `esc10` and `hit_uav_thermal`.
        part: of the set.

    Raises:
        ConfigError: the set is not there, or broken.
    """
    if modality not in _LOADERS:
        raise no_labelled_set(modality)
    return _LOADERS[modality](data / FOLDERS[modality], part)


def no_labelled_set(modality: Modality) -> ConfigError:
    """The error of asking for labelled samples of a sense that has none."""
    known = ", ".join(_LOADERS)
    return ConfigError(f"there is no labelled set of {modality}", expected=known, fix="leave this sense out")
