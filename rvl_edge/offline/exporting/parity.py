# SPDX-License-Identifier: Apache-2.0
"""Does the exported graph say what the checkpoint says?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rvl_edge.backends import Session
from rvl_edge.errors import GateFailed


@dataclass(frozen=True)
class Parity:
    """How close two encoders' unit embeddings of the same samples are.

    Attributes:
        samples: how many were compared.
        cosine_min: the smallest cosine.
        cosine_mean: the mean cosine.
        max_abs: the largest difference of any component.
    """

    samples: int
    cosine_min: float
    cosine_mean: float
    max_abs: float


def compare(encoder: nn.Module, session: Session, batches: Sequence[npt.NDArray[Any]]) -> Parity:
    """Encode the same batches with torch and with the runtime that robots use.

    Args:
        encoder: maps a batch to (B, D) of unit norm.
        session: the exported graph, loaded.
        batches: model inputs, (B, ...) each; different B show that the batch axis is free.
    """
    with torch.inference_mode():
        wanted = np.concatenate([encoder.eval()(torch.from_numpy(batch)).numpy() for batch in batches])
    found = np.concatenate([session.run(batch) for batch in batches])
    cosines = np.einsum("nd,nd->n", wanted, found, dtype=np.float64)
    return Parity(
        samples=len(wanted),
        cosine_min=float(cosines.min()),
        cosine_mean=float(cosines.mean()),
        max_abs=float(np.abs(wanted - found).max()),
    )


def require(parity: Parity, name: str, *, cosine_min: float, max_abs: float) -> None:
    """Raise GateFailed where a graph is further from its checkpoint than allowed."""
    if not (parity.cosine_min >= cosine_min and parity.max_abs <= max_abs):  # NaN fails
        raise GateFailed(
            f"the exported {name} graph disagrees with its checkpoint",
            got=f"cosine {parity.cosine_min:.6f}, difference {parity.max_abs:.2g}",
            expected=f"cosine at least {cosine_min}, difference at most {max_abs}",
            fix="export with weights: float32, or loosen the thresholds knowingly",
        )
