# SPDX-License-Identifier: Apache-2.0
"""Samples of any domain as pictures to look at."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rvl_edge.offline.hardening.domains import Domain
from rvl_edge.types import FloatArray, Modality

_FRAMES = 4  # of a clip, side by side
_HEARD = 4.0  # of a sound's normalised filter bank, from black to white


def visible(samples: Tensor, modality: Modality, domain: Domain) -> FloatArray:
    """Pictures (B, H, W, 1 or 3) in [0, 1] of samples in the domain.

    A clip shows some of its frames side by side; a sound its filter bank, low notes below, as the encoder
    sees it.
    """
    if modality is Modality.AUDIO:
        with torch.no_grad():
            heard = domain.model_input(samples)[:, :1] / _HEARD + 0.5
        planes = heard.clamp(0, 1).flip(2)
    elif samples.ndim == 5:
        picked = torch.linspace(0, samples.shape[2] - 1, min(_FRAMES, samples.shape[2])).long()
        planes = torch.cat([samples[:, :, frame] for frame in picked], dim=3)
    else:
        planes = samples
    return np.ascontiguousarray(planes.detach().float().cpu().numpy().transpose(0, 2, 3, 1))


def magnified(clean: FloatArray, attacked: FloatArray) -> tuple[FloatArray, float]:
    """The difference about mid-grey, and by what it was multiplied so that the largest is black or white."""
    difference = attacked - clean
    largest = float(np.abs(difference).max())
    factor = 0.5 / largest if largest > 0 else 1.0
    return 0.5 + factor * difference, factor


def png(picture: FloatArray) -> bytes:
    """A picture (H, W, 1 or 3) in [0, 1] as a PNG."""
    pixels: npt.NDArray[np.uint8] = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    _, coded = cv2.imencode(".png", pixels[..., ::-1])
    return bytes(coded.tobytes())


def data_uri(content: bytes) -> str:
    """A PNG to be written into a page."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
