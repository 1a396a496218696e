# SPDX-License-Identifier: Apache-2.0
"""What every domain looks like to an attack."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Domain(Protocol):
    """Where a perturbation lives."""

    @property
    def name(self) -> str:
        """For reports, such as `pixels`."""

    def model_input(self, samples: Tensor) -> Tensor:
        """Map samples (B, ...) in [0, 1] to the encoder's input, with gradients."""
