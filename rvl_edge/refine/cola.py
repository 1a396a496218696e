# SPDX-License-Identifier: Apache-2.0
"""COLA: score classes by optimal transport between a sample's views and a class's prompts."""

from __future__ import annotations

import logging
import threading
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rvl_edge._products import product, wide_product
from rvl_edge.errors import BadShape, ConfigError, NonFinite
from rvl_edge.refine.gate import Gate
from rvl_edge.refine.subspace import TextSubspace, text_subspace
from rvl_edge.refine.transport import Sinkhorn, Transport
from rvl_edge.refine.views import KEEP
from rvl_edge.refine.weights import text_weights, view_weights
from rvl_edge.types import FloatArray

_LOG = logging.getLogger(__name__)
_MAX_LOGIT_SCALE = 300.0  # three times CLIP's clamp; beyond, exp(-2 * scale) leaves float64
_TINY = np.float32(1e-12)


class TransportNotConverged(UserWarning):
    """The iterations ended before the plans met the tolerance; scores are approximate."""


@dataclass(frozen=True)
class ColaSettings:
    """The method's numbers. `views` and `rank` are the paper's; it leaves the others open.

    Attributes:
        views: N, how many views to make of a sample, the original among them.
        keep: the least share of a picture's area or a sound's length that a view keeps. The paper does not
            say; on validation samples of the embedded encoders stronger crops cost accuracy on clean ones and
            bring none back on attacked ones.
        rank: the most directions of the text subspace, C.
        epsilon: entropic regularisation, in units of cosine distance (AWT's).
        iterations: the most Sinkhorn iterations; ten are usual, hard problems need more than AWT's 100.
        tolerance: L1 error of a plan's row sums at which they end.
        weight_temperature: of the softmax over entropies in nats (AWT's).
        budget_ms: for encoding and refining a sample, in milliseconds; views and classes shrink to meet it
            and grow back. None is no limit. What was spent is in `Perception.refinement`.
        gate: when to spend more than one view; None is always.

    Raises:
        ConfigError: a number outside its range, or a part of a view, direction or iteration.
    """

    views: int = 5
    keep: float = KEEP
    rank: int = 256
    epsilon: float = 0.1
    iterations: int = 300
    tolerance: float = 1e-4
    weight_temperature: float = 0.5
    budget_ms: float | None = None
    gate: Gate | None = None

    def __post_init__(self) -> None:
        ranges = {
            "views": (1, 64),
            "keep": (0.1, 1.0),
            "rank": (1, 8192),
            "epsilon": (1e-3, 10.0),
            "iterations": (1, 10_000),
            "tolerance": (1e-5, 1.0),  # rounding alone comes to 1e-6 in float32
            "weight_temperature": (1e-2, 1e3),
            "budget_ms": (1e-3, 1e6),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if name == "budget_ms" and value is None:
                continue
            whole = isinstance(low, int)
            kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
            if not (isinstance(value, kinds) and low <= value <= high):
                raise ConfigError(
                    f"COLA's {name} is out of range",
                    got=repr(value),
                    expected=f"{low} to {high}{', whole' if whole else ''}",
                )


class Cola:
    """Cross-modality alignment of one label set (COLA, NeurIPS 2025): at test time, without training.

    What depends on texts alone is computed here, once a label set; a call then costs one product with the
    texts' coordinates and a few Sinkhorn iterations. Safe to call from several threads, which take turns.

    Args:
        texts: (K, M, D) float32, M prompts for each of K classes.
        logit_scale: inverse temperature of the predictions whose entropies weight views and prompts.
        settings: the method's numbers.
        subspace: to project onto; None is the texts' own. `whole_space` projects nothing away.

    Attributes:
        settings, logit_scale, subspace: as above.
        texts: (K, M, C) float32, coordinates of the unit texts in the subspace.
        means: (K, C) float32, those of the classes' unit means.

    Raises:
        ConfigError: texts that are no finite, non-zero (K, M, D), or a logit scale outside (0, 300].
    """

    def __init__(
        self,
        texts: FloatArray,
        *,
        logit_scale: float,
        settings: ColaSettings | None = None,
        subspace: TextSubspace | None = None,
    ) -> None:
        if not 0 < logit_scale <= _MAX_LOGIT_SCALE:
            expected = f"above 0, to {_MAX_LOGIT_SCALE:g}"
            raise ConfigError("logit scale out of range", got=logit_scale, expected=expected)
        if texts.ndim != 3 or not texts.size:
            raise ConfigError(
                "texts of the wrong shape", got=texts.shape, expected="(K, M, D), none of them 0"
            )
        classes, prompts, dim = texts.shape
        rows = _unit(texts.reshape(-1, dim))
        means = None if rows is None else _unit(rows.reshape(texts.shape).mean(axis=1))
        if rows is None or means is None:
            raise ConfigError("a text, or the mean of a class's texts, is zero or not finite")
        self.settings = settings = settings or ColaSettings()
        self.subspace = subspace or text_subspace(rows, settings.rank)
        self.logit_scale = logit_scale
        self.texts = self.subspace.coordinates(rows).reshape(classes, prompts, -1)
        self.means = self.subspace.coordinates(means)
        self._workspace: _Workspace | None = None
        self._lock = threading.Lock()
        text_rank, rank = self.subspace.text_rank, self.subspace.rank
        _LOG.info("COLA: %d texts of rank %d, %d directions kept", len(rows), text_rank, rank)

    def scores(self, views: FloatArray, classes: int | None = None) -> FloatArray:
        """Score every class by -<T, C>, where C(n, m) = 1 - cos(Π(x_n), z_m); the best is the arg-max.

        Args:
            views: (N, D) float32, embeddings of N views of one sample, the original first. N may change from
                call to call and need not be `settings.views`.
            classes: align the likeliest so many under the original alone; None is all. The others score its
                cosine with the mean of their prompts, less 1, and no more than the worst that was aligned.

        Returns:
            (K,) float32, each the mean cosine under the plan, less 1. For one view and one prompt that is the
            plain cosine divided by ||Π(x)||, less 1.

        Raises:
            BadShape: views of another shape.
            NonFinite: a view that is zero or not finite.

        Warns:
            TransportNotConverged: see there.
        """
        dim = len(self.subspace.basis)
        if views.ndim != 2 or not len(views) or views.shape[1] != dim:
            raise BadShape("views are no batch of embeddings", got=views.shape, expected=f"(N, {dim})")
        unit = _unit(views)
        if unit is None:
            raise NonFinite("a view's embedding is zero or not finite")
        count = len(self.means) if classes is None else max(1, min(classes, len(self.means)))
        with self._lock:
            scores, transport = self._align(product(unit, self.subspace.basis), count)
        if transport.error > self.settings.tolerance:
            warnings.warn(
                f"COLA's plans are {transport.error:.1e} off their weights after {transport.iterations} "
                "iterations; raise iterations or epsilon",
                TransportNotConverged,
                stacklevel=2,
            )
        return scores

    def _align(self, x: FloatArray, classes: int) -> tuple[FloatArray, Transport]:
        """Score by views given by their (N, C) coordinates, in which <Π(x), z> is an inner product.

        It stands in for <x, z> in the logits too: the two differ only where the rank cuts texts short.
        """
        cosines = product(x, self.means.T)
        chosen = np.arange(len(self.means))
        texts = self.texts
        if classes < len(chosen):
            chosen = np.argpartition(-cosines[0], classes - 1)[:classes]
            texts = texts[chosen]
        transport = self._transport(x, texts, cosines * np.float32(self.logit_scale), chosen)
        if classes == len(self.means):
            return -transport.cost, transport
        scores = cosines[0] / max(float(np.linalg.norm(x[0])), _TINY) - 1
        scores = np.minimum(scores, -transport.cost.max())
        scores[chosen] = -transport.cost
        return scores, transport

    def _transport(
        self, x: FloatArray, texts: FloatArray, logits: FloatArray, chosen: npt.NDArray[np.intp]
    ) -> Transport:
        classes, prompts, rank = texts.shape
        work = self._workspace
        if work is None or work.costs.shape[:2] != (classes, len(x)):
            work = self._workspace = _Workspace.of(classes, len(x), prompts, self.settings)
        wide_product(x, texts.reshape(-1, rank).T, work.products)
        products = work.products.reshape(len(x), classes, prompts)
        temperature = self.settings.weight_temperature
        a = view_weights(logits, temperature)
        b = text_weights(logits[0], products[0] * np.float32(self.logit_scale), temperature, chosen)
        scale = -1 / np.maximum(np.linalg.norm(x, axis=1), _TINY)
        np.multiply(products.transpose(1, 0, 2), scale[:, None], out=work.costs)
        np.add(work.costs, 1, out=work.costs)
        return work.solver.solve(work.costs, a, b)


@dataclass(frozen=True, eq=False)
class _Workspace:
    """Memory for one number of views and classes, reused by every call with as many."""

    products: FloatArray  # (N, K * M)
    costs: FloatArray  # (K, N, M)
    solver: Sinkhorn

    @classmethod
    def of(cls, classes: int, views: int, prompts: int, settings: ColaSettings) -> _Workspace:
        return cls(
            np.empty((views, classes * prompts), np.float32),
            np.empty((classes, views, prompts), np.float32),
            Sinkhorn(
                classes,
                views,
                prompts,
                epsilon=settings.epsilon,
                iterations=settings.iterations,
                tolerance=settings.tolerance,
            ),
        )


def _unit(rows: FloatArray) -> FloatArray | None:
    """Rows scaled to unit norm, or None where one is zero or not finite."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (norms > _TINY).all() or not np.isfinite(norms).all():
        return None
    unit: FloatArray = (rows / norms).astype(np.float32, copy=False)
    return unit
