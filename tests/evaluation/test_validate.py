# SPDX-License-Identifier: Apache-2.0
"""Accuracies in training, against an encoder whose robustness is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from linear_encoder import Plain, problem
from torch import Tensor

from rvl_edge.offline.evaluation.robust import validate
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.threat import Norm, Threat


@dataclass(frozen=True)
class Shown(Plain):
    """Keeps what the encoder is shown."""

    batches: list[Tensor]

    def model_input(self, samples: Tensor) -> Tensor:
        self.batches.append(samples)
        return samples


def test_clean_and_robust_accuracy_are_the_linear_encoders() -> None:
    case, eps = problem(count=200), 0.03
    found = validate(
        case.scene, case.samples, case.labels, Pgd(Threat(Norm.LINF, eps), 20, eps / 4), batch_size=64
    )
    right = int((case.distance > 0).sum())
    assert found.clean.value == right / 200
    robust = int((case.distance > eps).sum())
    assert 0 < robust < right  # the attack is neither useless nor deadly
    assert found.robust.trials == 200
    assert robust / 200 <= found.robust.value <= robust / 200 + 0.05


def test_a_sample_starts_in_the_same_place_whatever_else_is_right() -> None:
    """Without steps an attack returns where it starts, which the encoder is shown after the batch itself."""
    case, starts = problem(count=20), []
    answers = (case.samples @ case.encoder.weights.detach().T).argmax(dim=1)
    right = torch.ones(20, dtype=torch.bool)
    right[[0, 9]] = False
    for labels in (answers, torch.where(right, answers, (answers + 1) % case.classes)):
        shown = Shown([])
        scene = replace(case.scene, domain=shown)
        validate(scene, case.samples, labels, Pgd(Threat(Norm.LINF, 0.03), 0, 0.01), batch_size=8)
        starts.append(torch.cat(shown.batches[1::2]))
    assert torch.equal(starts[0][right], starts[1])


def test_training_goes_on_as_before() -> None:
    case = problem()
    case.encoder.train()
    frozen = torch.nn.Parameter(torch.zeros(1), requires_grad=False)
    case.encoder.register_parameter("frozen", frozen)
    validate(case.scene, case.samples, case.labels, Pgd(Threat(Norm.LINF, 0.02), 2, 0.01))
    assert case.encoder.training
    assert case.encoder.weights.requires_grad
    assert case.encoder.weights.grad is None
    assert not frozen.requires_grad
