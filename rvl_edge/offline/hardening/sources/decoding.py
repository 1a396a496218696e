# SPDX-License-Identifier: Apache-2.0
"""Encoded pictures to samples of the domain, by several threads: decoding frees Python's lock."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.preprocess.image import as_picture
from rvl_edge.preprocess.resample import resample_centre
from rvl_edge.preprocess.spec import ImageSpec

_THREADS = 8


@dataclass(frozen=True)
class Encoded:
    """A picture as its file holds it; `name` is for messages, `mirrored` says to turn it left to right."""

    name: str
    content: bytes
    mirrored: bool = False


class Decoder:
    """Pictures as the robot sees them, but for the mirrored ones.

    Args:
        spec: size and kernel.
    """

    def __init__(self, spec: ImageSpec) -> None:
        self._spec = spec
        self._threads = ThreadPoolExecutor(_THREADS, "decoding")

    def __call__(self, pictures: Sequence[Encoded]) -> Tensor:
        """A batch, (B, 3, S, S) in [0, 1].

        Raises:
            ConfigError: a picture is damaged; names it.
        """
        return torch.stack(list(self._threads.map(self._decode, pictures)))

    def _decode(self, picture: Encoded) -> Tensor:
        data = np.frombuffer(picture.content, np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if pixels is None:
            raise ConfigError("a training picture cannot be decoded", got=picture.name, fix="take it out")
        planes = resample_centre(as_picture(np.asarray(pixels[..., ::-1], np.uint8)), self._spec)
        found = torch.from_numpy(planes / np.float32(255)).clamp(0, 1)
        return found.flip(2) if picture.mirrored else found
