# SPDX-License-Identifier: Apache-2.0
"""An encoder as a classifier: scaled cosines between what it senses and the text anchors of K classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from rvl_edge.offline.hardening.domains import Domain
from rvl_edge.offline.hardening.objectives.interface import Scene
from rvl_edge.offline.towers import Encoder


@dataclass(frozen=True, eq=False)
class Classifier:
    """What is attacked: samples of the domain -> logits, with gradients.

    Attributes:
        encoder: the tower.
        domain: the samples' way into the tower.
        anchors: (K, D), unit norm, on the encoder's device.
        scale: multiplies cosines; the encoder's own inverse temperature.
        precision: of the tower; what is before and after it is float32 in any case.
    """

    encoder: Encoder
    domain: Domain
    anchors: Tensor
    scale: float
    precision: torch.dtype = torch.float32

    @classmethod
    def of(cls, scene: Scene, precision: torch.dtype = torch.float32) -> Classifier:
        """The student of a scene."""
        return cls(scene.student, scene.domain, scene.anchors, scene.scale, precision)

    @property
    def device(self) -> torch.device:
        """Where the tower computes."""
        return self.anchors.device

    def __call__(self, samples: Tensor) -> Tensor:
        """Logits (n, K) of samples (n, ...) in [0, 1]."""
        return self.scale * self.embed(self.domain.model_input(samples)) @ self.anchors.T

    def embed(self, inputs: Tensor) -> Tensor:
        """Unit embeddings (n, D) float32 of model inputs (n, ...)."""
        half = self.precision != torch.float32
        with torch.autocast(self.device.type, self.precision if half else None, enabled=half):
            features = self.encoder.features(inputs)
        unit: Tensor = functional.normalize(features.float(), dim=-1)
        return unit

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Evaluation mode and no gradients of weights within the block; afterwards all is as it was."""
        training = self.encoder.training
        learning = [each for each in self.encoder.parameters() if each.requires_grad]
        self.encoder.eval().requires_grad_(False)
        try:
            yield
        finally:
            self.encoder.train(training)
            for parameter in learning:
                parameter.requires_grad_(True)
