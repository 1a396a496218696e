# SPDX-License-Identifier: Apache-2.0
"""The subspace that a label set's texts span, and the projection of embeddings onto it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rvl_edge.errors import ConfigError
from rvl_edge.types import FloatArray

# A text tower in half precision rounds by about this much. Weaker directions differ from runtime to runtime,
# yet count for as much as any other in ||Π(x)||, and with them the scores would differ too.
_FLOOR = 1e-3


@dataclass(frozen=True, eq=False)
class TextSubspace:
    """Principal subspace of the texts: Z = U S Vᵀ with texts as columns, U_C = U[:, :C] (COLA, NeurIPS 2025).

    Attributes:
        basis: (D, C) float32, orthonormal columns U_C, by falling singular value.
        text_rank: how many directions have a singular value above a thousandth of the largest. Where C equals
            it next to nothing of any text is cut off, and the projection only rescales a view's cosines by
            1 / ||Π(x)||: one view alone ranks as without it.
    """

    basis: FloatArray
    text_rank: int

    @property
    def rank(self) -> int:
        """C, the number of directions kept."""
        return int(self.basis.shape[1])

    def coordinates(self, rows: FloatArray) -> FloatArray:
        """U_Cᵀ x of each row, (..., D) -> (..., C); inner products are those of the projections."""
        inner: FloatArray = rows @ self.basis
        return inner

    def project(self, rows: FloatArray) -> FloatArray:
        """Π(x) = U_C U_Cᵀ x of each row; (..., D) -> (..., D)."""
        projected: FloatArray = self.coordinates(rows) @ self.basis.T
        return projected


def text_subspace(texts: FloatArray, rank: int) -> TextSubspace:
    """Fit the subspace. As in the paper, the texts are not centred.

    Args:
        texts: (T, D) float32, unit norm.
        rank: the most directions to keep.

    Raises:
        ConfigError: `rank` is not positive, or the texts are no finite, non-zero (T, D).
    """
    if rank < 1:
        raise ConfigError("the subspace needs a direction", got=f"rank={rank}", expected="1 or more")
    if texts.ndim != 2 or not texts.size or not np.isfinite(texts).all() or not texts.any():
        raise ConfigError(
            "texts cannot span a subspace", got=texts.shape, expected="(T, D), finite, not all zero"
        )
    # R of Z^T = QR has Z's singular values and directions, so that 50,000 texts cost one (D, D) SVD.
    triangle = np.linalg.qr(texts, mode="r")
    _, singular, directions = np.linalg.svd(triangle, full_matrices=False)
    text_rank = int(np.count_nonzero(singular > _FLOOR * singular[0]))
    kept = directions[: min(rank, text_rank)].T
    return TextSubspace(np.ascontiguousarray(kept, np.float32), text_rank)


def whole_space(dim: int) -> TextSubspace:
    """All of it, so that nothing is projected away: transport alone, for comparison."""
    return TextSubspace(np.eye(dim, dtype=np.float32), dim)
