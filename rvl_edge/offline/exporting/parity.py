# SPDX-License-Identifier: Apache-2.0
"""Does the exported graph say what the checkpoint says?"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import GateFailed
from rvl_edge.types import FloatArray


@dataclass(frozen=True)
class Thresholds:
    """What a graph must reach.

    Attributes:
        cosine_min: the smallest cosine of any sample.
        max_abs: the largest difference of any component of a unit embedding.
        top1_min: the smallest share of samples that get the same label, in [0, 1].
    """

    cosine_min: float
    max_abs: float
    top1_min: float


@dataclass(frozen=True)
class Parity:
    """How close two encoders' unit embeddings of the same samples are.

    Attributes:
        backend: the runtime that ran the graph.
        precision: what the graph computes in.
        source: where the samples are from.
        samples: how many were compared.
        cosine_min: the smallest cosine.
        cosine_mean: the mean cosine.
        max_abs: the largest difference of any component.
        top1_agreement: share of samples to which checkpoint and graph, each with its own text anchors, give
            the same label of the set in force; None for the text tower itself.
        worst: index of the sample with the smallest cosine.
        thresholds: what was asked for.
        passed: whether it was reached.
    """

    backend: str
    precision: str
    source: str
    samples: int
    cosine_min: float
    cosine_mean: float
    max_abs: float
    top1_agreement: float | None
    worst: int
    thresholds: Thresholds
    passed: bool


@dataclass(frozen=True, eq=False)
class Embedded:
    """What one encoder made of N samples: (N, D) unit embeddings, and (N,) indices of their labels."""

    embeddings: FloatArray
    labels: npt.NDArray[np.int64] | None = None


def compare(
    wanted: Embedded, found: Embedded, thresholds: Thresholds, *, backend: str, precision: str, source: str
) -> Parity:
    """Hold a graph's embeddings of some samples against the checkpoint's."""
    cosines = np.einsum("nd,nd->n", wanted.embeddings, found.embeddings, dtype=np.float64)
    max_abs = float(np.abs(wanted.embeddings - found.embeddings).max())
    agreement = None
    if wanted.labels is not None and found.labels is not None:
        agreement = float((wanted.labels == found.labels).mean())
    return Parity(
        backend=backend,
        precision=precision,
        source=source,
        samples=len(cosines),
        cosine_min=float(cosines.min()),
        cosine_mean=float(cosines.mean()),
        max_abs=max_abs,
        top1_agreement=agreement,
        worst=int(cosines.argmin()),
        thresholds=thresholds,
        passed=bool(
            cosines.min() >= thresholds.cosine_min  # written so that NaN fails
            and max_abs <= thresholds.max_abs
            and (agreement is None or agreement >= thresholds.top1_min)
        ),
    )


def require(parity: Parity, name: str) -> None:
    """Raise GateFailed where a graph is further from its checkpoint than allowed."""
    if parity.passed:
        return
    gate, agreement = parity.thresholds, parity.top1_agreement
    same = "" if agreement is None else f", {agreement:.1%} of labels the same"
    raise GateFailed(
        f"the exported {name} graph disagrees with its checkpoint",
        got=f"cosine {parity.cosine_min:.6f}, difference {parity.max_abs:.2g}{same} on {parity.backend}",
        expected=f"cosine at least {gate.cosine_min}, difference at most {gate.max_abs}"
        + ("" if agreement is None else f", {gate.top1_min:.1%} of labels"),
        fix="look at the worst sample beside the bundle; export with precision: float32, "
        "or loosen the thresholds knowingly",
    )


def worst_sample(parity: Parity, inputs: npt.NDArray[Any], wanted: Embedded, found: Embedded) -> bytes:
    """The sample with the smallest cosine as .npz: the model input and both embeddings of it."""
    at = parity.worst
    file = io.BytesIO()
    np.savez_compressed(file, input=inputs[at], checkpoint=wanted.embeddings[at], graph=found.embeddings[at])
    return file.getvalue()
