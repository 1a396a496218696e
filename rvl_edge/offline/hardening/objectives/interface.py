# SPDX-License-Identifier: Apache-2.0
"""What every hardening method looks like to the trainer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from rvl_edge.offline.hardening.attacks.goals import Goal
from rvl_edge.offline.hardening.attacks.text.words import Lexicon
from rvl_edge.offline.hardening.domains import Domain
from rvl_edge.offline.towers import Encoder, TextEncoder
from rvl_edge.text import Tokenizer


@dataclass(frozen=True, eq=False)
class TextSide:
    """The text half of a scene. `anchors` of the scene are made from it before training.

    Attributes:
        encoder: the tower; it is trained where the method says so (`TrainsText`), and frozen otherwise.
        tokenizer: its tokenizer.
        labels: K class names.
        templates: prompts of the sense, {} is the label.
        synonyms: K tuples of other names for the same things; none where nobody asks for them.
        lexicon: what attacks on texts may do to words, for methods that attack texts.
    """

    encoder: TextEncoder
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    templates: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...] = ()
    lexicon: Lexicon | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """What a method works with.

    Attributes:
        student: the encoder that is trained, phi.
        original: the frozen encoder it started from, phi_org.
        domain: where perturbations live.
        anchors: (K, D), unit norm: the frozen text embedding of each class.
        scale: multiplies cosines before a softmax.
        text: what the anchors are made from.
        dual: multipliers of the method's own, if it is a `Dual`.
    """

    student: Encoder
    original: Encoder
    domain: Domain
    anchors: Tensor
    scale: float
    text: TextSide | None = None
    dual: nn.Module | None = None

    def features(self, samples: Tensor) -> Tensor:
        """phi, not normalised, (B, D) float32."""
        return self.student.features(self.domain.model_input(samples)).float()

    def logits(self, features: Tensor) -> Tensor:
        """Scaled cosines to the anchors, (B, K) float32."""
        return self.scale * cosines(features, self.anchors)


@dataclass(frozen=True)
class Texts:
    """One text a sample, as it is and under attack."""

    clean: tuple[str, ...]
    adversarial: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Batch:
    """Clean samples of one step.

    Attributes:
        samples: (B, ...) in [0, 1], in the domain.
        labels: (B,) int64, index into the anchors.
        reference: (B, D), phi_org of the samples, not normalised.
        texts: of a `TrainsText`.
    """

    samples: Tensor
    labels: Tensor
    reference: Tensor
    texts: Texts | None = None


class Objective(Protocol):
    """A hardening method: what its attacker maximises and what its encoder minimises."""

    def goal(self, scene: Scene, batch: Batch) -> Goal:
        """The inner maximisation."""

    def terms(self, scene: Scene, batch: Batch, adversarial: Tensor) -> dict[str, Tensor]:
        """Weighted terms, scalars, of the outer minimisation; their sum is the loss."""


@runtime_checkable
class TrainsText(Protocol):
    """An objective that attacks texts as well, and under which the text encoder learns.

    The trainer asks for the texts of each step before it attacks the samples, and saves the text encoder
    beside the sense's.
    """

    trains_text: bool

    def texts(self, scene: Scene, batch: Batch, chance: Tensor) -> Texts:
        """A text for each sample, and what the attacker makes of it.

        Args:
            scene: the towers as they are.
            batch: samples, without texts.
            chance: (B,) in [0, 1), one a sample, on the CPU: all that may be random in the choice.
        """


@runtime_checkable
class Dual(Protocol):
    """An objective with multipliers, which climb while the encoder descends.

    The trainer keeps the multipliers in `Scene.dual`, in its snapshots, and steps them with an AdamW of their
    own after every `dual_every` steps of the encoder.
    """

    dual_lr: float
    dual_every: int

    def multipliers(self, dim: int) -> nn.Module:
        """Fresh multipliers for features of `dim` numbers; randomness is torch's global generator."""

    def ascent(self, scene: Scene, batch: Batch) -> Tensor:
        """Scalar that the multipliers maximise."""


def original_features(scene: Scene, samples: Tensor) -> Tensor:
    """phi_org, (B, D) float32, without gradient."""
    with torch.no_grad():
        return scene.original.features(scene.domain.model_input(samples)).float()


def cosines(first: Tensor, second: Tensor) -> Tensor:
    """Of rows (n, D) to rows (m, D), (n, m) float32; under autocast too, as a scale multiplies all errors."""
    with torch.autocast(first.device.type, enabled=False):
        units = [functional.normalize(each.float(), dim=-1) for each in (first, second)]
        return units[0] @ units[1].T
