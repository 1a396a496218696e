# SPDX-License-Identifier: Apache-2.0
"""Contrastive objectives with several positives a row."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def bind_to_text(
    samples: Tensor, texts: Tensor, concepts: Tensor, shares: Tensor, *, scale: Tensor, smoothing: float
) -> Tensor:
    """Symmetric InfoNCE between samples and captions, with all captions of a concept positive.

    Ten classes in a batch of hundreds make most captions of other rows true ones, so a row's target is
    spread over every caption of its concept (Yang et al. 2022, eq. 3 and 4) instead of its own only.

    Args:
        samples: (B, D), unit norm.
        texts: (T, D), unit norm.
        concepts: (T,) int64, what each text says.
        shares: (B, C), how much of each concept a sample holds; rows sum to 1, more than one entry after
            mixup. Concepts that no sample could hold beside its own, as in another facet, are NaN: their
            texts do not compete.
        scale: multiplies the cosines.
        smoothing: part of each row's target that is spread over all competing texts (Szegedy et al. 2016).

    Returns:
        Scalar: the mean of both directions.
    """
    competing = ~shares[0].isnan()[concepts]
    texts, concepts = texts[competing], concepts[competing]
    logits = scale * samples @ texts.T
    weights = shares[:, concepts]
    to_text = weights / weights.sum(dim=1, keepdim=True) * (1 - smoothing) + smoothing / len(concepts)
    meant = weights.sum(dim=0) > 0
    to_sample = (weights / weights.sum(dim=0, keepdim=True).clamp_min(1e-6))[:, meant]
    forward = functional.cross_entropy(logits, to_text)
    backward = functional.cross_entropy(logits[:, meant].T, to_sample.T)
    return 0.5 * (forward + backward)


def bind_synonyms(texts: Tensor, concepts: Tensor, scale: float) -> Tensor:
    """Supervised contrast among texts: those of one concept are positives (Khosla et al. 2020, eq. 2).

    Args:
        texts: (T, D), unit norm; every concept at least twice.
        concepts: (T,) int64.
        scale: multiplies the cosines.
    """
    itself = torch.eye(len(texts), dtype=torch.bool)
    logits = (scale * texts @ texts.T).masked_fill(itself, -1e9)
    same = (concepts[:, None] == concepts) & ~itself
    return functional.cross_entropy(logits, same / same.sum(dim=1, keepdim=True))
