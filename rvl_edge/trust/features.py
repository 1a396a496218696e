# SPDX-License-Identifier: Apache-2.0
"""Where clean samples lie in the embedding space, and how far from there a sample is."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import ConfigError
from rvl_edge.trust.monitor import Curve, Observation
from rvl_edge.types import FloatArray

RANK = 16


@dataclass(frozen=True, eq=False)
class CleanFeatures:
    """A mean for each class, and one covariance for all around them, of low rank plus a sphere.

    Mahalanobis distance to the nearest class mean under a shared covariance (Lee et al., NeurIPS 2018), which
    is shrunk to its leading directions and an equal variance in all others (probabilistic PCA, Tipping &
    Bishop 1999): few samples suffice, and a few kilobytes hold it.

    Attributes:
        means: (C, D) float32.
        basis: (D, R) float32, orthonormal columns.
        variances: (R,) float32, along the columns.
        rest: variance along every other direction.
    """

    means: FloatArray
    basis: FloatArray
    variances: FloatArray
    rest: float

    @classmethod
    def fit(cls, embeddings: FloatArray, labels: npt.NDArray[np.int64], rank: int = RANK) -> CleanFeatures:
        """Estimate by maximum likelihood.

        Args:
            embeddings: (N, D) of unit norm.
            labels: (N,) the class of each.
            rank: R, at most; at least one direction is left to the sphere.

        Raises:
            ConfigError: fewer than two samples beyond one a class.
        """
        classes = np.unique(labels)
        if len(embeddings) < len(classes) + 2:
            expected = f"{len(classes) + 2} or more"
            raise ConfigError(
                "too few embeddings to fit their distribution", got=len(embeddings), expected=expected
            )
        means = np.stack([embeddings[labels == each].mean(axis=0) for each in classes])
        centred = embeddings - means[np.searchsorted(classes, labels)]
        covariance = centred.T.astype(np.float64) @ centred / (len(embeddings) - len(classes))
        values, vectors = np.linalg.eigh(covariance)
        kept = min(rank, len(values) - 1, len(embeddings) - len(classes))
        rest = max(float(values[:-kept].mean()), 1e-12)
        return cls(
            np.asarray(means, np.float32),
            np.ascontiguousarray(vectors[:, -kept:], np.float32),
            np.maximum(values[-kept:], rest).astype(np.float32),
            rest,
        )

    def distance(self, embedding: FloatArray) -> float:
        """Mahalanobis distance of (D,) to the nearest class mean, in standard deviations."""
        offsets = embedding - self.means
        inside = offsets @ self.basis
        outside = np.maximum(np.square(offsets).sum(axis=1) - np.square(inside).sum(axis=1), 0)
        squared = (np.square(inside) / self.variances).sum(axis=1) + outside / self.rest
        return sqrt(float(squared.min()))

    def numbers(self) -> dict[str, tuple[float, ...]]:
        """As a calibration keeps them."""
        arrays = {"means": self.means, "basis": self.basis, "variances": self.variances}
        flat = {name: tuple(float(f"{each:.4g}") for each in array.flat) for name, array in arrays.items()}
        return {**flat, "rest": (self.rest,)}

    @classmethod
    def of(cls, numbers: dict[str, tuple[float, ...]], dim: int) -> CleanFeatures:
        """Read `numbers` of embeddings of `dim` numbers back.

        Raises:
            ConfigError: they are not whole.
        """
        try:
            means, basis, variances = (
                np.array(numbers[name], np.float32) for name in ("means", "basis", "variances")
            )
            return cls(
                means.reshape(-1, dim), basis.reshape(dim, len(variances)), variances, numbers["rest"][0]
            )
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigError(
                "the calibration's clean features are not whole",
                got=repr(error),
                fix="rvl-edge calibrate monitors BUNDLE --data DIR",
            ) from None


@dataclass(frozen=True, eq=False)
class EmbeddingDistance:
    """How far the embedding is from those of clean samples."""

    features: CleanFeatures
    name = "embedding-distance"
    rule: Curve | None = None

    def statistic(self, seen: Observation) -> float:
        """In standard deviations."""
        return self.features.distance(seen.embedding)

    def explain(self, value: float, usual: float | None) -> str:
        """See `Monitor`."""
        known = "" if usual is None else f", usually {usual:.1f}"
        return f"the embedding is {value:.1f} standard deviations from those of clean samples{known}"
