# SPDX-License-Identifier: Apache-2.0
"""Simulated clips for training: CIFAR-10 stills under a moving camera."""

from __future__ import annotations

import torch
from torch import Tensor

from rvl_edge.offline.datasets.camera_motion import MOTIONS, simulate_motion
from rvl_edge.offline.datasets.samples import Samples
from rvl_edge.offline.pretraining.augmenting import jitter, mirror
from rvl_edge.offline.pretraining.captions import Captions
from rvl_edge.offline.pretraining.feeds import Batch, normalised
from rvl_edge.preprocess.spec import VideoSpec


class VideoFeed:
    """Each still is filmed anew every time; what is seen and how the camera moves are two facets.

    Args:
        samples: (N, H, W, 3) uint8 stills.
        spec: the card's preprocessing.
        captions: concepts.
    """

    def __init__(self, samples: Samples, spec: VideoSpec, captions: Captions) -> None:
        self.labels = (*samples.classes, *MOTIONS)
        self._stills = torch.from_numpy(samples.data).permute(0, 3, 1, 2).contiguous()
        self._objects = captions.shares(torch.from_numpy(samples.labels), samples.classes, excluded=MOTIONS)
        self._motions = captions.shares(torch.arange(len(MOTIONS)), MOTIONS, excluded=samples.classes)
        self._spec = spec

    def __len__(self) -> int:
        return len(self._stills)

    def batch(self, index: Tensor) -> Batch:
        """See `Feed`."""
        stills = mirror(self._stills[index].float() / 255)
        motions = torch.randint(0, len(MOTIONS), (len(stills),))
        clips = simulate_motion(
            jitter(stills, gain=0.2, offset=0.1), motions, frames=self._spec.num_frames, size=self._spec.size
        )
        return Batch(normalised(clips, self._spec), (self._objects[index], self._motions[motions]))
