# SPDX-License-Identifier: Apache-2.0
"""Texts -> features, with gradients where they are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rvl_edge.offline.towers import TextEncoder
from rvl_edge.text import Tokenizer


@dataclass(frozen=True, eq=False)
class Reader:
    """A text tower behind its tokenizer, a `Read`.

    Each different text is embedded once a call.

    Attributes:
        encoder: the tower.
        tokenizer: its tokenizer.
        batch_size: texts at once.
    """

    encoder: TextEncoder
    tokenizer: Tokenizer
    batch_size: int = 1024

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Features (N, D) float32, not normalised."""
        places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        ids = torch.from_numpy(self.tokenizer(list(places)))
        used = int(ids.argmax(dim=1).max()) + 1  # attention is causal: what follows END changes nothing
        device = self.encoder.text_projection.weight.device
        parts = ids[:, :used].to(device).split(self.batch_size)
        features = torch.cat([self.encoder.features(part).float() for part in parts])
        return features[torch.tensor([places[text] for text in texts], device=device)]
