# SPDX-License-Identifier: Apache-2.0
"""Matrix products that stay on the calling thread."""

from __future__ import annotations

import numpy as np

from rvl_edge.types import FloatArray

# OpenBLAS computes up to this many multiply-adds on the calling thread (its interface/gemm.c and gemv.c).
# Beyond, it wakes a thread a core, and those spin for the next product: on a machine with other work that
# turns half a millisecond of preprocessing into twenty.
_MATRIX, _VECTOR = 1 << 18, 1 << 13


def product(a: FloatArray, b: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """`a @ b` in pieces that no BLAS shares out among threads; how many cores there are changes no bit of it.

    Args:
        a: (M, K) float32.
        b: (K, N) float32.
        out: (M, N) float32 to write to; None makes a new one.
    """
    (rows, inner), columns = a.shape, b.shape[1]
    if out is None:
        out = np.empty((rows, columns), np.float32)
    longer = max(rows, columns)
    largest = _VECTOR if min(rows, columns) == 1 else _MATRIX
    if rows * inner * columns <= largest or longer == 1:
        return np.matmul(a, b, out=out)
    half = longer // 2
    if columns == longer:
        product(a, b[:, :half], out[:, :half])
        product(a, b[:, half:], out[:, half:])
    else:
        product(a[:half], b, out[:half])
        product(a[half:], b, out[half:])
    return out


def wide_product(a: FloatArray, b: FloatArray, out: FloatArray) -> FloatArray:
    """`product` for a few rows and a great many columns: all pieces in one call, which packs them better."""
    (rows, inner), columns = a.shape, b.shape[1]
    width = _MATRIX // (rows * inner)
    if width < 2 or columns <= width:
        return product(a, b, out)
    pieces = columns // width
    cut = pieces * width
    np.matmul(
        a,
        b[:, :cut].reshape(inner, pieces, width).transpose(1, 0, 2),
        out=out[:, :cut].reshape(rows, pieces, width).transpose(1, 0, 2),
    )
    product(a, b[:, cut:], out[:, cut:])
    return out
