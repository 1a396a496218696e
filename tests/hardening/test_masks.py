# SPDX-License-Identifier: Apache-2.0
"""What an attacker may not touch stays as it was, bit for bit, and every sample keeps its own budget."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening import masks
from rvl_edge.offline.hardening.attacks.apgd import Apgd
from rvl_edge.offline.hardening.attacks.pgd import Pgd
from rvl_edge.offline.hardening.attacks.square import Square
from rvl_edge.offline.hardening.threat import Norm, Threat

EPS = 0.1


def _clips(count: int = 4) -> Tensor:
    return 0.3 + 0.4 * torch.rand(count, 3, 5, 6, 6, generator=torch.Generator().manual_seed(0))


def _logits(clips: Tensor) -> Tensor:
    weights = torch.randn(4, clips[0].numel(), generator=torch.Generator().manual_seed(1))
    return clips.flatten(1) @ weights.T


def _perturbed(name: str, threat: Threat, clips: Tensor) -> Tensor:
    labels = _logits(clips).argmax(dim=1)
    generator = torch.Generator().manual_seed(2)
    if name == "pgd":
        return Pgd(threat, 4, 0.05)(lambda each, rows: _logits(each).amax(dim=1), clips, generator)
    if name == "square":
        return Square(threat, queries=20)(_logits, clips, labels, generator)
    return Apgd(threat, "ce", steps=6)(_logits, clips, labels, generator)


@pytest.mark.parametrize("attack", ["pgd", "apgd", "square"])
def test_masks_compose_and_what_they_exclude_is_untouched(attack: str) -> None:
    clips = _clips()
    places = torch.tensor([0, 1, 2, 3])
    where = masks.frames(5, (1, 4)) * masks.squares(places, places, 2, 6, 6)[:, :, None]
    moved = (_perturbed(attack, Threat(Norm.LINF, EPS, where), clips) - clips) != 0
    assert moved.flatten(1).any(dim=1).all()
    assert not (moved & (where == 0)).any()
    assert where.sum(dim=(1, 2, 3, 4)).eq(2 * 4).all()


def test_an_l2_budget_is_spent_inside_the_mask() -> None:
    """Projecting first and masking afterwards would waste it."""
    clips = _clips()
    threat = Threat(Norm.L2, EPS, masks.frames(5, (2,)))
    found = Pgd(threat, 20, EPS)(lambda each, rows: each.flatten(1).sum(dim=1), clips)
    length = (found - clips).flatten(1).norm(dim=1)
    torch.testing.assert_close(length, torch.full((4,), EPS), atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("attack", ["pgd", "apgd"])
def test_every_sample_has_its_own_budget(norm: Norm, attack: str) -> None:
    clips, eps = _clips(), torch.tensor([0.0, 0.01, 0.02, 0.05])
    delta = (_perturbed(attack, Threat(norm, eps), clips) - clips).flatten(1)
    length = delta.abs().amax(dim=1) if norm is Norm.LINF else delta.norm(dim=1)
    assert (length <= eps + 1e-6).all()
    assert (length[1:] > 0).all()


def test_budgets_and_masks_follow_their_samples_into_a_smaller_batch() -> None:
    threat = Threat(Norm.LINF, torch.tensor([0.1, 0.2, 0.3]), torch.eye(3)[:, None])
    part = threat.rows(torch.tensor([2, 0]))
    perturbed = part.project(torch.ones(2, 1, 3), torch.zeros(2, 1, 3))
    torch.testing.assert_close(perturbed[:, 0], torch.tensor([[0.0, 0.0, 0.3], [0.1, 0.0, 0.0]]))


def test_a_frame_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such frame: got \\[0, 5\\]"):
        masks.frames(5, (0, 5))
