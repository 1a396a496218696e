# SPDX-License-Identifier: Apache-2.0
"""AutoAttack by its authors' code, packaged as pyautoattack: the referee that our own attacks are held to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from rvl_edge.errors import ConfigError, MissingDependency
from rvl_edge.offline.hardening.attacks.apgd import MOST_TARGETS
from rvl_edge.offline.hardening.attacks.goals import Logits
from rvl_edge.offline.hardening.threat import Norm, Threat

AttackName = Literal["apgd-ce", "apgd-dlr", "apgd-t", "fab", "fab-t", "square"]

STANDARD: tuple[AttackName, ...] = ("apgd-ce", "apgd-t", "fab-t", "square")
_NORMS: dict[Norm, Literal["Linf", "L2"]] = {Norm.LINF: "Linf", Norm.L2: "L2"}
_BATCH = 250  # samples at a time
_FEWEST_CLASSES = {"apgd-dlr": 3, "apgd-t": 4}


@dataclass(frozen=True)
class Referee:
    """AutoAttack (Croce & Hein 2020); its `standard` version as it stands, unless told otherwise.

    FAB fills the gradients of parameters that want some: freeze the model.

    Attributes:
        threat: the ball: one eps for all, no mask.
        attacks: in this order, each on what those before it left.
        steps: of APGD and FAB.
        queries: of the square attack.
        seed: of all random starts.
    """

    threat: Threat
    attacks: Sequence[AttackName] = STANDARD
    steps: int = 100
    queries: int = 5000
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ConfigError for a threat of another kind than the referee knows."""
        if isinstance(self.threat.eps, Tensor) or self.threat.where is not None:
            raise ConfigError("the referee knows one eps for all, everywhere", got="a budget each, or a mask")

    def __call__(self, logits: Logits, samples: Tensor, labels: Tensor) -> Tensor:
        """Perturb samples.

        Attacks that are not defined for so few classes are left out: the ratio of logit differences needs
        three, the targeted one four.

        Args:
            logits: the classifier.
            samples: (B, ...) in [0, 1].
            labels: (B,) int64.

        Returns:
            (B, ...); samples that withstood are returned as they are.

        Raises:
            MissingDependency: without pyautoattack.
        """
        pictures = _as_pictures(samples)
        tracer = sys.gettrace()  # the referee counts calls by a tracer of its own and then removes all
        try:
            # It seeds torch's global generators; the caller's go on as they were.
            with torch.random.fork_rng(devices=[samples.device] if samples.is_cuda else []):
                attack = self._prepared(lambda points: logits(points.view(-1, *samples.shape[1:])), pictures)
                found, _ = attack.run_standard_evaluation(pictures, labels, batch_size=_BATCH)
        finally:
            sys.settrace(tracer)
        perturbed: Tensor = found.view(samples.shape)
        return perturbed

    def _prepared(self, logits: Logits, pictures: Tensor) -> Any:
        try:
            from pyautoattack import AutoAttack
            from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
        except ImportError as error:
            raise MissingDependency(
                "the referee is not installed", got=error, fix="pip install 'rvl-edge-sdk[offline]'"
            ) from error
        with torch.no_grad():
            classes = logits(pictures[:1]).shape[1]
        shared = {
            "eps": self.threat.eps,
            "norm": _NORMS[self.threat.norm],
            "seed": self.seed,
            "device": pictures.device,
        }
        attack = AutoAttack(logits, version="custom", attacks=self._defined(classes), **shared)
        targets = min(MOST_TARGETS, classes - 1)
        shared |= {"n_iter": self.steps, "n_restarts": 1, "logger": attack.logger}
        attack.apgd = APGDAttack(logits, **shared)
        attack.apgd_targeted = APGDAttack_targeted(logits, n_target_classes=targets, **shared)
        attack.fab.n_restarts, attack.fab.n_iter, attack.fab.n_target_classes = 1, self.steps, targets
        attack.square.n_queries = self.queries
        return attack

    def _defined(self, classes: int) -> list[AttackName]:
        return [name for name in self.attacks if classes >= _FEWEST_CLASSES.get(name, 2)]


def _as_pictures(samples: Tensor) -> Tensor:
    """Samples as (B, C, H, W), the only shape that the referee knows, in the only order of memory."""
    if samples.ndim == 2:
        return samples[:, None, None].contiguous()
    return (samples.flatten(2, -2) if samples.ndim > 4 else samples).contiguous()
