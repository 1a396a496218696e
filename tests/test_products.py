# SPDX-License-Identifier: Apache-2.0
"""Products in pieces equal whole ones, and wake no thread."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from rvl_edge._products import product, wide_product

RANDOM = np.random.default_rng(0)


def drawn(*shape: int) -> np.typing.NDArray[np.float32]:
    return RANDOM.standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize(
    ("rows", "inner", "columns"),
    [(8, 40, 1921), (4097, 33, 9), (300, 768, 1), (1, 768, 300), (1, 300_000, 1), (3, 0, 2), (257, 129, 511)],
)
def test_pieces_make_the_whole(rows: int, inner: int, columns: int) -> None:
    a, b = drawn(rows, inner), drawn(inner, columns)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    np.testing.assert_allclose(product(a, b), exact, atol=1e-5 * max(inner, 1) ** 0.5)


@pytest.mark.parametrize(
    ("rows", "inner", "columns"), [(5, 256, 50), (5, 256, 1003), (1, 300_000, 3), (64, 768, 90)]
)
def test_wide_pieces_make_the_whole(rows: int, inner: int, columns: int) -> None:
    a, texts, out = drawn(rows, inner), drawn(columns, inner), np.full((rows, columns), np.nan, np.float32)
    exact = a.astype(np.float64) @ texts.T.astype(np.float64)
    assert wide_product(a, texts.T, out) is out
    np.testing.assert_allclose(out, exact, atol=1e-5 * inner**0.5)


def test_strided_sides_and_result() -> None:
    a, b, out = drawn(64, 90)[:, ::3], drawn(700, 30).T, np.full((64, 1400), 7, np.float32)
    kept = product(a, b, out[:, 100:800])
    np.testing.assert_allclose(out[:, 100:800], a @ b, atol=1e-4)
    assert np.shares_memory(kept, out)
    assert (out[:, :100] == 7).all()
    assert (out[:, 800:] == 7).all()


SPINNING = """
import time, numpy as np
from rvl_edge._products import product, wide_product
few, texts = np.ones((5, 256), np.float32), np.ones((9000, 256), np.float32)
out = np.empty((5, 9000), np.float32)
a, b, x = np.ones((512, 512), np.float32), np.ones((512, 2048), np.float32), np.ones((512, 1), np.float32)
begin = time.process_time(), time.thread_time()
for _ in range(20):
    product(a, b), product(a, x), wide_product(few, texts.T, out)
process, thread = time.process_time() - begin[0], time.thread_time() - begin[1]
assert process < 1.05 * thread + 0.005, (process, thread)
"""


def test_no_other_thread_takes_part() -> None:
    """CPU time, not wall time: that of the process is that of the one thread."""
    subprocess.run([sys.executable, "-c", SPINNING], check=True, timeout=120)
