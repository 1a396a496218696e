# SPDX-License-Identifier: Apache-2.0
"""Distance to clean features against the covariance written out, and statistics of agreement."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from rvl_edge.errors import ConfigError
from rvl_edge.preprocess import ImageSpec
from rvl_edge.refine import text_subspace
from rvl_edge.trust.agreement import SentinelDisagreement, SubspaceEnergy, ViewDisagreement
from rvl_edge.trust.features import CleanFeatures
from rvl_edge.trust.monitor import Observation
from rvl_edge.types import FloatArray

RANDOM = np.random.default_rng(0)
DIM = 12
SPEC = ImageSpec(size=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def unit(rows: FloatArray) -> FloatArray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def embeddings(count: int) -> tuple[FloatArray, np.ndarray]:
    """Three classes, stretched along one direction."""
    labels = np.arange(count) % 3
    centres = 4 * np.eye(DIM)[:3]
    spread = RANDOM.normal(size=(count, DIM)) * np.linspace(1, 0.1, DIM)
    return unit(centres[labels] + spread), labels


def seen(embedding: FloatArray, **more: FloatArray) -> Observation:
    nothing = np.zeros(1, np.float32)
    return Observation(nothing, nothing, SPEC, embedding, **more)


def test_distance_is_mahalanobis_under_the_shrunk_covariance() -> None:
    rows, labels = embeddings(300)
    features = CleanFeatures.fit(rows, labels, rank=4)
    inverse = np.linalg.inv(
        features.basis @ np.diag(features.variances - features.rest) @ features.basis.T
        + features.rest * np.eye(DIM)
    )
    for each in rows[:10]:
        wanted = min(float((each - mean) @ inverse @ (each - mean)) for mean in features.means)
        assert features.distance(each) == pytest.approx(np.sqrt(wanted), rel=1e-4)


def test_with_all_directions_but_one_it_is_the_samples_own_covariance() -> None:
    rows, labels = embeddings(300)
    features = CleanFeatures.fit(rows, labels, rank=DIM)
    centred = rows - features.means[labels]
    inverse = np.linalg.inv(centred.T @ centred / (len(rows) - 3))
    offset = rows[0] - features.means
    wanted = np.sqrt(np.einsum("cd,de,ce->c", offset, inverse, offset).min())
    assert features.distance(rows[0]) == pytest.approx(wanted, rel=1e-3)


def test_what_is_kept_in_a_calibration_measures_the_same() -> None:
    rows, labels = embeddings(60)
    features = CleanFeatures.fit(rows, labels, rank=4)
    again = CleanFeatures.of(features.numbers(), DIM)
    for each in rows[:5]:
        assert again.distance(each) == pytest.approx(features.distance(each), rel=1e-2)
    with pytest.raises(ConfigError, match="not whole"):
        CleanFeatures.of({**features.numbers(), "means": (1.0,) * (DIM + 1)}, DIM)


def test_few_samples_are_shrunk_and_too_few_refused() -> None:
    rows, labels = embeddings(6)
    assert np.isfinite(CleanFeatures.fit(rows, labels).distance(rows[0]))
    with pytest.raises(ConfigError, match="too few"):
        CleanFeatures.fit(rows[:4], labels[:4])


def test_energy_outside_of_the_texts() -> None:
    texts = unit(RANDOM.normal(size=(5, DIM)))
    monitor = SubspaceEnergy(text_subspace(texts, DIM))
    inside = unit(texts.sum(axis=0))
    residual = RANDOM.normal(size=DIM)
    residual -= texts.T @ np.linalg.lstsq(texts.T, residual, rcond=None)[0]
    outside = unit(residual)
    assert monitor.statistic(seen(inside)) == pytest.approx(0, abs=1e-5)
    assert monitor.statistic(seen(outside)) == pytest.approx(1, abs=1e-5)
    assert monitor.statistic(seen(unit(inside + outside))) == pytest.approx(0.5, abs=1e-5)


def test_the_sentinels_divergence_is_scipys() -> None:
    anchors, own, plain = unit(RANDOM.normal(size=(4, DIM))), *unit(RANDOM.normal(size=(2, DIM)))
    monitor = SentinelDisagreement(anchors, 15.0)
    posteriors = [np.exp(15.0 * anchors.astype(np.float64) @ each) for each in (own, plain)]
    wanted = jensenshannon(*(each / each.sum() for each in posteriors), base=2) ** 2
    assert monitor.statistic(seen(own, sentinel=plain)) == pytest.approx(wanted, rel=1e-5)
    assert monitor.statistic(seen(own, sentinel=own)) == pytest.approx(0, abs=1e-9)
    assert monitor.statistic(seen(own)) is None


def test_views_disagree_by_their_mean_cosine() -> None:
    views = np.eye(3, DIM, dtype=np.float32)
    monitor = ViewDisagreement()
    assert monitor.statistic(seen(views[0], views=views)) == pytest.approx(1)
    assert monitor.statistic(seen(views[0], views=views[[0, 0, 1]])) == pytest.approx(0.5)
    assert monitor.statistic(seen(views[0], views=views[:1])) is None
