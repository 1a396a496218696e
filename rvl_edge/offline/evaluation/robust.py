# SPDX-License-Identifier: Apache-2.0
"""Clean and robust accuracy of an encoder that is still being trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rvl_edge.offline.evaluation.classifier import Classifier
from rvl_edge.offline.evaluation.wilson import Proportion, proportion
from rvl_edge.offline.hardening.attacks import losses
from rvl_edge.offline.hardening.attacks.goals import classification
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.objectives.interface import Scene


@dataclass(frozen=True)
class Validation:
    """Accuracy without and with an attacker; `robust` counts samples that are right in both cases."""

    clean: Proportion
    robust: Proportion


def validate(
    scene: Scene,
    samples: Tensor,
    labels: Tensor,
    attack: Pgd,
    *,
    batch_size: int = 256,
    precision: torch.dtype = torch.float32,
) -> Validation:
    """Ask the student about labelled samples, unharmed and attacked by cross-entropy against all anchors.

    The student's mode and what of it learns are left as they were. The same samples in the same batch
    size meet the same random starts, whatever is right, so the figures of two epochs compare.

    Args:
        scene: the student, its domain and its anchors.
        samples: (N, ...) in [0, 1], in the domain; on any device.
        labels: (N,) int64.
        attack: by one try; samples that are wrong already are left alone.
        batch_size: samples at once.
        precision: of the student, in the attack too.
    """
    classifier = Classifier.of(scene, precision)
    generator = torch.Generator(classifier.device).manual_seed(0)
    clean = robust = 0
    with classifier.at_rest():
        for part, truth in zip(samples.split(batch_size), labels.split(batch_size), strict=True):
            part, truth = part.to(classifier.device), truth.to(classifier.device)  # noqa: PLW2901
            start = attack.begin(part, generator)
            right = _right(classifier, part, truth)
            part, truth = part[right], truth[right]  # noqa: PLW2901
            clean += len(part)
            if len(part):
                goal = classification(classifier, truth, losses.cross_entropy)
                found = attack(goal, part, start=start[right])
                robust += int(_right(classifier, found, truth).sum())
    return Validation(proportion(clean, len(labels)), proportion(robust, len(labels)))


def _right(classifier: Classifier, samples: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        return classifier(samples).argmax(dim=1) == labels
