# SPDX-License-Identifier: Apache-2.0
"""A folder of pictures, one subfolder a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.sources.decoding import Decoder, Encoded
from rvl_edge.offline.hardening.sources.source import Labelled, shuffled, step_seed, steps_per_epoch
from rvl_edge.preprocess.spec import ImageSpec

_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


@dataclass(frozen=True, eq=False)
class PictureFolder:
    """Files and their classes.

    Attributes:
        paths: N files, sorted by class and name.
        labels: (N,) int64.
    """

    paths: tuple[Path, ...]
    labels: Tensor

    @classmethod
    def at(cls, folder: Path, labels: Sequence[str]) -> PictureFolder:
        """List a folder whose subfolders are named as `labels`.

        Raises:
            ConfigError: no such folder, a subfolder that is no label, or no pictures.
        """
        if not folder.is_dir():
            raise ConfigError("the folder of pictures is not there", got=folder)
        unknown = sorted({each.name for each in folder.iterdir() if each.is_dir()} - set(labels))
        if unknown:
            raise ConfigError(
                f"subfolders of {folder} are no labels of the label set",
                got=", ".join(unknown[:5]),
                expected=", ".join(labels[:5]) + (", ..." if len(labels) > 5 else ""),
                fix="name the folders as the labels, or add the names to the label set",
            )
        found = [
            (path, number)
            for number, name in enumerate(labels)
            for path in sorted((folder / name).rglob("*"))
            if path.suffix.lower() in _ENDINGS
        ]
        if not found:
            raise ConfigError("no pictures there", got=folder, expected="<label>/*.jpg")
        return cls(tuple(path for path, _ in found), torch.tensor([number for _, number in found]))

    def take(self, count: int) -> PictureFolder:
        """At most so many, spread evenly."""
        index = torch.linspace(0, len(self.paths) - 1, min(count, len(self.paths))).long()
        return PictureFolder(tuple(self.paths[each] for each in index), self.labels[index])


class FolderSource:
    """A `Source` of pictures in a folder; mirroring is its only variation.

    Args:
        folder: the pictures.
        spec: the card's preprocessing.
        batch_size: over all processes.
        seed: of order and mirroring.
        mirror: turn every second picture left to right.
    """

    def __init__(
        self, folder: PictureFolder, spec: ImageSpec, *, batch_size: int, seed: int, mirror: bool
    ) -> None:
        self._folder, self._decode = folder, Decoder(spec)
        self._batch_size, self._seed, self._mirror = batch_size, seed, mirror

    @property
    def steps_per_epoch(self) -> int:
        """See `Source`."""
        return steps_per_epoch(len(self._folder.paths), self._batch_size)

    def batch(self, step: int, rows: slice) -> Labelled:
        """See `Source`."""
        index = shuffled(len(self._folder.paths), self._batch_size, self._seed, step)
        generator = torch.Generator().manual_seed(step_seed(self._seed, step))
        turned = (torch.rand(len(index), generator=generator) < 0.5 * self._mirror)[rows]
        paths = [self._folder.paths[each] for each in index[rows]]
        pictures = self._decode(
            [
                Encoded(str(path), path.read_bytes(), bool(mirrored))
                for path, mirrored in zip(paths, turned, strict=True)
            ]
        )
        return Labelled(pictures, self._folder.labels[index[rows]])
