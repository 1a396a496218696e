# SPDX-License-Identifier: Apache-2.0
"""Transport problems and embeddings: random ones, and ones shaped like those of text and views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import ot
from scipy.special import softmax
from scipy.stats import entropy

from rvl_edge.types import FloatArray

SCALE = 30.0


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


def reference(
    texts: FloatArray, views: FloatArray, *, rank: int, scale: float = SCALE, epsilon: float | None = 0.1
) -> np.ndarray:
    """COLA once more: float64, one class and one prompt at a time, projections in full, POT's solver.

    An epsilon of None is the exact optimum.
    """
    classes, prompts, dim = texts.shape
    z, x = texts.astype(float), views.astype(float)
    left, singular, _ = np.linalg.svd(z.reshape(-1, dim).T)
    kept = left[:, : min(rank, int((singular > 1e-3 * singular[0]).sum()))]
    projected = x @ kept @ kept.T
    means = z.mean(axis=1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    logits = scale * projected @ means.T
    a = softmax(-entropy(softmax(logits, axis=1), axis=1) / 0.5)
    scores = []
    for label in range(classes):
        uncertainty = []
        for prompt in range(prompts):
            replaced = logits[0].copy()
            replaced[label] = scale * projected[0] @ z[label, prompt]
            uncertainty.append(entropy(softmax(replaced)))
        b = softmax(-np.array(uncertainty) / 0.5)
        cost = 1 - projected @ z[label].T / np.linalg.norm(projected, axis=1, keepdims=True)
        if epsilon is None:
            scores.append(-ot.emd2(a, b / b.sum(), cost))
            continue
        plan = ot.sinkhorn(a, b, cost, epsilon, "sinkhorn_log", numItermax=10_000, stopThr=1e-10)
        scores.append(-(plan * cost).sum())
    return np.array(scores)
