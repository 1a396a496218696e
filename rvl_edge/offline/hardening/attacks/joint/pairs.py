# SPDX-License-Identifier: Apache-2.0
"""Samples with the texts that belong to them, and the two towers that bring them together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from rvl_edge.offline.hardening.attacks.text.interface import Read
from rvl_edge.offline.hardening.attacks.text.reading import Reader
from rvl_edge.offline.hardening.objectives.interface import Scene


@dataclass(frozen=True, eq=False)
class Pairs:
    """Samples and texts under attack.

    Attributes:
        samples: (B, ...) in [0, 1].
        texts: N texts, any number a sample.
        owners: (N,) int64, the sample of each text; on the samples' device.
    """

    samples: Tensor
    texts: tuple[str, ...]
    owners: Tensor

    def summed(self, values: Tensor) -> Tensor:
        """Sums of (N, D) over the texts of each sample, (B, D)."""
        return values.new_zeros(len(self.samples), *values.shape[1:]).index_add(0, self.owners, values)


@dataclass(frozen=True, eq=False)
class Towers:
    """The encoder of a sense and the text encoder.

    Attributes:
        sense: samples (n, ...) in [0, 1] -> features (n, D), not normalised, with gradients.
        read: texts -> features.
    """

    sense: Callable[[Tensor], Tensor]
    read: Read

    @classmethod
    def of(cls, scene: Scene) -> Towers:
        """A scene's student and its text side."""
        assert scene.text is not None  # `make_scenes` gives one
        return cls(scene.features, Reader(scene.text.encoder, scene.text.tokenizer))
