# SPDX-License-Identifier: Apache-2.0
"""Entropy-regularised optimal transport, a batch of small problems at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rvl_edge.errors import BadShape, ConfigError, NonFinite
from rvl_edge.types import FloatArray

# Dual potentials spread no wider than the costs: up to here every factor and product is a normal float32.
_MAX_EXPONENT = 40.0


@dataclass(frozen=True, eq=False)
class Transport:
    """Solution of K problems.

    Attributes:
        cost: (K,) float32, <T, C> of each; the entropy term is not part of it.
        plan: (K, N, M) float32, T. It lives in the solver and is overwritten by its next `solve`.
        error: largest L1 distance of a plan's row sums from `a`; its column sums are `b` to rounding.
        iterations: how many were done.
        log_domain: True where the costs were too spread for exp(-C / ε) in float32.
    """

    cost: FloatArray
    plan: FloatArray
    error: float
    iterations: int
    log_domain: bool


class Sinkhorn:
    """Solves min_T <T, C> - ε H(T), T 1 = a, Tᵀ 1 = b (Cuturi 2013), for K problems of one size at once.

    Memory is taken once, here. Calls must come one at a time.

    Args:
        problems: K.
        rows: N.
        columns: M.
        epsilon: ε, in units of cost.
        iterations: the most to do.
        tolerance: end when every plan's row sums are this near to `a` in L1.

    Raises:
        ConfigError: an argument is not positive.
    """

    def __init__(
        self, problems: int, rows: int, columns: int, *, epsilon: float, iterations: int, tolerance: float
    ) -> None:
        got = (problems, rows, columns, epsilon, iterations, tolerance)
        if not all(value > 0 for value in got):
            raise ConfigError("every argument of the solver must be positive", got=got)
        self._shape = (problems, rows, columns)
        self._epsilon = epsilon
        self._iterations = iterations
        self._tolerance = tolerance
        self._kernel = np.empty(self._shape, np.float32)
        self._plan = np.empty(self._shape, np.float32)
        self._u = np.empty((problems, rows, 1), np.float32)
        self._kv = np.empty_like(self._u)
        self._gap = np.empty_like(self._u)
        self._v = np.empty((problems, 1, columns), np.float32)
        self._ku = np.empty_like(self._v)

    def solve(self, cost: FloatArray, a: FloatArray, b: FloatArray) -> Transport:
        """Transport `a` to each `b`.

        Args:
            cost: (K, N, M) float32, C.
            a: (N,) float32, non-negative, sums to 1; shared by all problems.
            b: (K, M) float32, non-negative, rows sum to 1.

        Raises:
            BadShape: an array of another shape than the solver was made for.
            NonFinite: NaN or infinity in the costs.
            ConfigError: weights that are no distribution.
        """
        problems, rows, columns = self._shape
        if (cost.shape, a.shape, b.shape) != (self._shape, (rows,), (problems, columns)):
            got = f"cost {cost.shape}, a {a.shape}, b {b.shape}"
            raise BadShape(
                "wrong shapes", got=got, expected=f"{self._shape}, ({rows},), ({problems}, {columns})"
            )
        if not (_is_distribution(a) and _is_distribution(b)):
            raise ConfigError("weights are no distribution", expected="finite, non-negative, sum 1")
        flat = cost.reshape(problems, -1)
        lowest = flat.min(axis=1)
        spread = float((flat.max(axis=1) - lowest).max())
        if not np.isfinite(spread):
            raise NonFinite("costs are not finite")
        log_domain = spread > _MAX_EXPONENT * self._epsilon
        if log_domain:
            error, iterations = self._solve_logs(cost, a, b)
        else:
            error, iterations = self._solve_scaled(cost, lowest, a, b)
        total = np.einsum("knm,knm->k", self._plan, cost)
        return Transport(total, self._plan, error, iterations, log_domain)

    def _solve_scaled(
        self, cost: FloatArray, lowest: FloatArray, a: FloatArray, b: FloatArray
    ) -> tuple[float, int]:
        kernel, u, v, kv, ku, gap = self._kernel, self._u, self._v, self._kv, self._ku, self._gap
        np.subtract(lowest[:, None, None], cost, out=kernel)  # a constant a problem changes no plan
        kernel *= 1.0 / self._epsilon
        np.exp(kernel, out=kernel)
        v_column, u_row = v.transpose(0, 2, 1), u.transpose(0, 2, 1)
        a_column, b_row = a[:, None], b[:, None, :]
        v.fill(1.0)
        np.matmul(kernel, v_column, out=kv)
        error, iterations = np.inf, 0
        while error > self._tolerance and iterations < self._iterations:
            np.divide(a_column, kv, out=u)
            np.matmul(u_row, kernel, out=ku)
            np.divide(b_row, ku, out=v)
            np.matmul(kernel, v_column, out=kv)
            np.multiply(u, kv, out=gap)
            np.subtract(gap, a_column, out=gap)
            error = float(np.abs(gap, out=gap).sum(axis=1).max())
            iterations += 1
        np.multiply(kernel, u, out=self._plan)
        np.multiply(self._plan, v, out=self._plan)
        return error, iterations

    def _solve_logs(self, cost: FloatArray, a: FloatArray, b: FloatArray) -> tuple[float, int]:
        """The same on log u and log v in float64, safe at any ε (Peyré & Cuturi 2019, section 4.4)."""
        kernel = cost.astype(np.float64) / -self._epsilon
        with np.errstate(divide="ignore"):  # a weight of 0 is -inf, and its row of the plan 0
            log_a, log_b = np.log(a, dtype=np.float64)[:, None], np.log(b, dtype=np.float64)[:, None, :]
        log_kv = _logsumexp(kernel, axis=2)
        error, iterations = np.inf, 0
        while error > self._tolerance and iterations < self._iterations:
            log_u = log_a - log_kv
            log_v = log_b - _logsumexp(kernel + log_u, axis=1)
            log_kv = _logsumexp(kernel + log_v, axis=2)
            error = float(np.abs(np.exp(log_u + log_kv) - a[:, None]).sum(axis=1).max())
            iterations += 1
        np.exp(kernel + log_u + log_v, out=self._plan, casting="same_kind")
        return error, iterations


def _is_distribution(weights: FloatArray) -> bool:
    return bool(weights.min() >= 0 and (np.abs(weights.sum(axis=-1) - 1) <= 1e-3).all())


def _logsumexp(values: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    peak = values.max(axis=axis, keepdims=True)
    total: npt.NDArray[np.float64] = peak + np.log(np.exp(values - peak).sum(axis=axis, keepdims=True))
    return total
