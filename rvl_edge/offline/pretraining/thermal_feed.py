# SPDX-License-Identifier: Apache-2.0
"""HIT-UAV chips for training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.datasets.samples import Samples
from rvl_edge.offline.pretraining.augmenting import crop, cut_out, jitter, turn
from rvl_edge.offline.pretraining.captions import Captions
from rvl_edge.offline.pretraining.feeds import Batch, normalised
from rvl_edge.preprocess.spec import ThermalSpec

_SMALLEST_CROP = 0.75  # of the chip's side
_NOISE = 0.03  # of full scale


class ThermalFeed:
    """Chips turned, cropped, re-gained and made noisy: seen from above, no direction is special.

    Args:
        samples: (N, H, H) uint8 chips.
        spec: the card's preprocessing.
        captions: concepts.
    """

    def __init__(self, samples: Samples, spec: ThermalSpec, captions: Captions) -> None:
        self.labels = samples.classes
        self._chips = torch.from_numpy(samples.data)[:, None]
        self._shares = captions.shares(torch.from_numpy(samples.labels), samples.classes)
        self._spec = spec

    def __len__(self) -> int:
        return len(self._chips)

    def batch(self, index: Tensor) -> Batch:
        """See `Feed`."""
        chips = turn(self._chips[index].float() / 255)
        chips = functional.interpolate(
            crop(chips, _SMALLEST_CROP),
            (self._spec.size,) * 2,
            mode=self._spec.interpolation,
            antialias=self._spec.antialias,
        )
        chips = jitter(chips, gain=0.4, offset=0.2)
        chips = chips + _NOISE * torch.rand(len(chips), 1, 1, 1) * torch.randn_like(chips)
        pixels = normalised(chips.expand(-1, 3, -1, -1), self._spec)
        return Batch(cut_out(pixels, size=self._spec.size // 4), (self._shares[index],))
