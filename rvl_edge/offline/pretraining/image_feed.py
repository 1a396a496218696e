# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10 pictures for training."""

from __future__ import annotations

import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.samples import Samples
from rvl_edge.offline.pretraining.augmenting import jitter, shift_and_flip
from rvl_edge.offline.pretraining.captions import Captions
from rvl_edge.offline.pretraining.feeds import Batch, normalised
from rvl_edge.preprocess.spec import ImageSpec


class ImageFeed:
    """Pictures shifted, mirrored and slightly recoloured; PatchDropout hides parts.

    Args:
        samples: (N, 32, 32, 3) uint8.
        spec: the card's preprocessing; pictures are fed as they are, so its size must be theirs.
        captions: concepts.
    """

    def __init__(self, samples: Samples, spec: ImageSpec, captions: Captions) -> None:
        if samples.data.shape[1] != spec.size:
            raise ConfigError(
                "the card's picture size is not the set's", got=spec.size, expected=samples.data.shape[1]
            )
        self.labels = samples.classes
        self._pictures = torch.from_numpy(samples.data).permute(0, 3, 1, 2).contiguous()
        self._shares = captions.shares(torch.from_numpy(samples.labels), samples.classes)
        self._spec = spec

    def __len__(self) -> int:
        return len(self._pictures)

    def batch(self, index: Tensor) -> Batch:
        """See `Feed`."""
        pictures = shift_and_flip(self._pictures[index].float() / 255, pad=4)
        pictures = normalised(jitter(pictures, gain=0.2, offset=0.1), self._spec)
        return Batch(pictures, (self._shares[index],))
