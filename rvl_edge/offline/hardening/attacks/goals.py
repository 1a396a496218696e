# SPDX-License-Identifier: Apache-2.0
"""What an attacker maximises, one number a sample."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Goal(Protocol):
    """The attacker's objective.

    Called with perturbed samples (n, ...) in the domain and `rows` (n,), the places of those samples in the
    batch under attack; returns (n,), to be maximised. An attack that has broken some samples asks for the
    others only.
    """

    def __call__(self, samples: Tensor, rows: Tensor) -> Tensor:
        """See above."""
