# SPDX-License-Identifier: Apache-2.0
"""Transport problems and embeddings: random ones, and ones shaped like those of text and views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rvl_edge.types import FloatArray


@dataclass(frozen=True, eq=False)
class Problem:
    cost: FloatArray  # (K, N, M)
    a: FloatArray  # (N,)
    b: FloatArray  # (K, M)


def unit(rows: np.ndarray) -> FloatArray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def distribution(random: np.random.Generator, *shape: int) -> FloatArray:
    shares = random.gamma(1.0, size=shape) + 1e-3
    return (shares / shares.sum(axis=-1, keepdims=True)).astype(np.float32)


def random_problem(seed: int, classes: int, views: int, prompts: int) -> Problem:
    random = np.random.default_rng(seed)
    cost = random.uniform(0, 2, (classes, views, prompts)).astype(np.float32)
    return Problem(cost, distribution(random, views), distribution(random, classes, prompts))


def embeddings(
    seed: int, classes: int = 10, views: int = 5, prompts: int = 8, dim: int = 64
) -> tuple[FloatArray, FloatArray]:
    """Texts (K, M, D) around class centres in a narrow cone; views (N, D) of class 0 in another cone."""
    random = np.random.default_rng(seed)
    cone, centres = random.normal(size=dim), random.normal(size=(classes, 1, dim))
    texts = unit(2 * cone + centres + 0.5 * random.normal(size=(classes, prompts, dim)))
    gap = random.normal(size=dim)
    sample = gap + 0.4 * centres[0, 0]
    return texts, unit(sample + 0.3 * random.normal(size=(views, dim)))


def aligned_problem(seed: int, **sizes: int) -> Problem:
    texts, views = embeddings(seed, **sizes)
    random = np.random.default_rng(seed)
    cost = (1 - np.einsum("nd,kmd->knm", views, texts)).astype(np.float32)
    return Problem(cost, distribution(random, len(views)), distribution(random, *texts.shape[:2]))
