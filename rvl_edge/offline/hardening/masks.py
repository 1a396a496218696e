# SPDX-License-Identifier: Apache-2.0
"""Where in a sample an attacker may change it: masks of 0 and 1 for `Threat.where`, composed by product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rvl_edge.errors import ConfigError


def frames(count: int, attacked: Sequence[int]) -> Tensor:
    """Some frames of clips (B, 3, T, H, W), (1, 1, T, 1, 1).

    Args:
        count: T.
        attacked: places of the frames, from 0.

    Raises:
        ConfigError: a frame that the clip does not have.
    """
    if not all(0 <= place < count for place in attacked):
        raise ConfigError("no such frame", got=list(attacked), expected=f"0 to {count - 1}")
    mask = torch.zeros(1, 1, count, 1, 1)
    mask[:, :, list(attacked)] = 1
    return mask


def squares(top: Tensor, left: Tensor, side: int, height: int, width: int) -> Tensor:
    """One square a picture, (B, 1, height, width).

    Args:
        top: (B,) int64, first row of each.
        left: (B,) int64, first column of each.
        side: rows and columns of the square.
        height, width: of the pictures.
    """
    rows, columns = (torch.arange(length, device=top.device) for length in (height, width))
    inside = _within(rows, top, side)[:, :, None] & _within(columns, left, side)[:, None]
    return inside[:, None].float()


def span(count: int, begin: int, end: int) -> Tensor:
    """Samples `begin` to before `end` of waveforms (B, count), (1, count)."""
    mask = torch.zeros(1, count)
    mask[:, begin:end] = 1
    return mask


def _within(places: Tensor, first: Tensor, length: int) -> Tensor:
    return (places >= first[:, None]) & (places < first[:, None] + length)
