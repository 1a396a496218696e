# SPDX-License-Identifier: Apache-2.0
"""How much each view and each prompt counts: the surer the prediction it leads to, the more.

COLA's equation 6 prints softmax(+h), which would favour the least certain view. Its text says the opposite,
that the lower entropy h gets the larger weight, and so does this module.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rvl_edge.types import FloatArray

_Float64 = npt.NDArray[np.float64]


def view_weights(logits: FloatArray, temperature: float) -> FloatArray:
    """Softmax over views of -h / temperature, h the entropy in nats of softmax(logits).

    Args:
        logits: (N, K), one row a view.
        temperature: small favours the surest view, large makes all equal.

    Returns:
        (N,) float32, sums to 1.
    """
    exponents = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    shares = np.exp(exponents)
    return _softmax(_entropy(shares.sum(axis=1), (exponents * shares).sum(axis=1)) / -temperature)


def text_weights(
    logits: FloatArray, prompt_logits: FloatArray, temperature: float, classes: npt.NDArray[np.intp]
) -> FloatArray:
    """Softmax over a class's prompts of -h / temperature.

    h of prompt m of class y is the entropy of the prediction where y's logit is m's own and all others stay.
    COLA says only "analogously"; this is the rule of AWT (Zhu et al. 2024), which its transport comes from.

    Args:
        logits: (K,) of the original view.
        prompt_logits: (S, M) of the original view, for some of the classes.
        temperature: as in `view_weights`.
        classes: (S,) which ones.

    Returns:
        (S, M) float32, rows sum to 1.
    """
    if len(logits) == 1:
        return np.full(prompt_logits.shape, 1 / prompt_logits.shape[1], np.float32)
    exponents = (logits - logits.max()).astype(np.float64)
    shares = np.exp(exponents)
    total = _sum_of_others(shares)
    others = _entropy(total, _sum_of_others(exponents * shares))
    log_total = np.log(total) + logits.max()
    # A choice between y and the rest, then one within the rest: entropy obeys the chain rule.
    gap = (prompt_logits - log_total[classes, None]).astype(np.float32)
    distance = np.abs(gap)
    odds = np.exp(-distance)
    lesser = odds / (1 + odds)
    rest = np.where(gap > 0, lesser, 1 - lesser)
    entropies = np.log(1 + odds) + distance * lesser + rest * others[classes, None].astype(np.float32)
    return _softmax(entropies / -temperature)


def _entropy(total: _Float64, moment: _Float64) -> _Float64:
    """Of p_j = exp(e_j) / total, where moment is the sum of e_j exp(e_j)."""
    return np.log(total) - moment / total


def _sum_of_others(values: _Float64) -> _Float64:
    """(K,) -> (K,), each the sum of all but itself; subtraction would cancel where one class dominates."""
    others = np.zeros_like(values)
    others[1:] = np.cumsum(values[:-1])
    others[:-1] += np.cumsum(values[:0:-1])[::-1]
    return others


def _softmax(logits: npt.NDArray[np.floating]) -> FloatArray:
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights: FloatArray = (shares / shares.sum(axis=-1, keepdims=True)).astype(np.float32, copy=False)
    return weights
