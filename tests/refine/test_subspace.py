# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from refine_problems import unit

from rvl_edge.errors import ConfigError
from rvl_edge.refine import text_subspace


def texts(seed: int, count: int, dim: int, rank: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return unit(random.normal(size=(count, rank)) @ random.normal(size=(rank, dim)))


@pytest.mark.parametrize(("count", "dim", "rank"), [(30, 16, 7), (5, 16, 5), (400, 24, 24), (1, 16, 1)])
def test_spans_what_scipy_says_the_texts_span(count: int, dim: int, rank: int) -> None:
    z = texts(0, count, dim, rank)
    subspace = text_subspace(z, rank=256)
    basis = scipy.linalg.orth(z.T.astype(np.float64), rcond=1e-5)
    assert (subspace.text_rank, subspace.rank) == (rank, rank)
    np.testing.assert_allclose(subspace.basis @ subspace.basis.T, basis @ basis.T, atol=1e-5)
    np.testing.assert_allclose(subspace.project(z), z, atol=1e-5)


def test_keeps_the_directions_that_lose_least_of_the_texts() -> None:
    z = texts(1, 60, 16, 16)
    subspace = text_subspace(z, rank=5)
    assert (subspace.text_rank, subspace.rank) == (16, 5)
    lost = np.square(z - subspace.project(z)).sum()
    singular = np.linalg.svd(z, compute_uv=False)
    np.testing.assert_allclose(lost, np.square(singular[5:]).sum(), rtol=1e-4)  # Eckart-Young: no 5 lose less


def test_projection_is_orthogonal_and_coordinates_carry_its_inner_products() -> None:
    z = texts(2, 60, 16, 16)
    subspace = text_subspace(z, rank=5)
    x = unit(np.random.default_rng(3).normal(size=(7, 16)))
    projected = subspace.project(x)
    np.testing.assert_allclose(subspace.project(projected), projected, atol=1e-6)
    np.testing.assert_allclose(np.einsum("nd,nd->n", x - projected, projected), 0, atol=1e-6)
    inner = subspace.coordinates(x) @ subspace.coordinates(z).T
    np.testing.assert_allclose(inner, projected @ z.T, atol=1e-6)


@pytest.mark.parametrize(
    "z", [np.zeros((3, 8)), np.full((3, 8), np.nan), np.ones(8), np.ones((0, 8)), np.ones((3, 0))]
)
def test_refuses_texts_without_directions(z: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="span"):
        text_subspace(z.astype(np.float32), rank=4)


def test_refuses_a_rank_of_zero() -> None:
    with pytest.raises(ConfigError, match="rank=0"):
        text_subspace(texts(4, 5, 8, 5), rank=0)


def test_rounding_of_the_text_tower_adds_no_direction() -> None:
    """Prompts of one class that are all but equal: what tells them apart is noise."""
    random = np.random.default_rng(3)
    texts = np.repeat(unit(random.normal(size=(6, 32))), 5, axis=0)
    rounded = [unit(texts + 1e-5 * random.normal(size=texts.shape)) for _ in range(2)]
    first, second = (text_subspace(each, 256) for each in rounded)
    assert first.rank == second.rank == 6
    sample = unit(random.normal(size=(4, 32)))
    np.testing.assert_allclose(first.project(sample), second.project(sample), atol=1e-4)
