# SPDX-License-Identifier: Apache-2.0
"""Our attacks against AutoAttack by its authors' code."""

from __future__ import annotations

import pytest
import torch
from linear_problem import distance_to_the_border, problem
from torch import Tensor

from rvl_edge.errors import ConfigError
from rvl_edge.offline.hardening.attacks.referee import Referee
from rvl_edge.offline.hardening.attacks.standard import StandardAttack
from rvl_edge.offline.hardening.threat import Norm, Threat

pytest.importorskip("pyautoattack")


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize(("norm", "dual"), [(Norm.LINF, 1.0), (Norm.L2, 2.0)])
def test_the_referee_plays_by_the_same_rules(classes: int, norm: Norm, dual: float) -> None:
    """Same threat, same classifier, same verdict, and the caller's random numbers are left alone."""
    weights, samples, labels = problem(classes=classes)
    distance = distance_to_the_border(weights, samples, labels, dual)
    eps = float(distance.median())
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    referee = Referee(Threat(norm, eps), attacks=("apgd-ce", "apgd-t", "fab-t"), steps=20)
    found = referee(lambda points: points @ weights.T, samples, labels)
    assert torch.equal(torch.random.get_rng_state(), before)
    wrong = (found @ weights.T).argmax(dim=1) != labels
    assert wrong[distance < 0.9 * eps].all()
    assert not wrong[distance > eps].any()


def test_the_referee_sees_clips_and_waveforms() -> None:
    for shape in ((30,), (3, 2, 1, 5)):
        weights, samples, labels = problem(count=6)
        found = Referee(Threat(Norm.LINF, 0.2), steps=5, queries=5)(
            lambda points, weights=weights: points.flatten(1) @ weights.T, samples.view(-1, *shape), labels
        )
        assert found.shape == (6, *shape)
        assert ((found.flatten(1) @ weights.T).argmax(dim=1) != labels).all()


def test_the_referee_takes_pictures_with_channels_last() -> None:
    weights, samples, labels = problem(count=6)
    pictures = samples.view(-1, 5, 2, 3).permute(0, 3, 1, 2)  # as decoders and NumPy keep them
    found = Referee(Threat(Norm.LINF, 0.2), steps=5, queries=5)(
        lambda points: points.permute(0, 2, 3, 1).flatten(1) @ weights.T, pictures, labels
    )
    assert ((found.permute(0, 2, 3, 1).flatten(1) @ weights.T).argmax(dim=1) != labels).all()


@pytest.mark.parametrize(
    "threat", [Threat(Norm.LINF, torch.tensor([0.1, 0.2])), Threat(Norm.LINF, 0.1, torch.ones(1, 30))]
)
def test_what_the_referee_does_not_know_is_refused_before_a_sample_is_seen(threat: Threat) -> None:
    with pytest.raises(ConfigError, match="one eps for all"):
        Referee(threat)


def test_ours_agrees_on_a_rough_landscape() -> None:
    generator = torch.Generator().manual_seed(1)
    first, second = torch.randn(64, 30, generator=generator), torch.randn(5, 64, generator=generator)
    samples = torch.rand(300, 30, generator=generator)

    def logits(points: Tensor) -> Tensor:
        return torch.sin(2 * (points - 0.5) @ first.T) @ second.T

    labels = logits(samples).argmax(dim=1)
    threat = Threat(Norm.LINF, 0.01)
    ours = StandardAttack(threat, steps=25)(logits, samples, labels, generator)
    theirs = Referee(threat, ("apgd-ce", "apgd-t"), steps=25)(logits, samples, labels)
    robust = [float((logits(found).argmax(dim=1) == labels).float().mean()) for found in (ours, theirs)]
    assert 0.1 < robust[1] < 0.9
    assert abs(robust[0] - robust[1]) <= 0.02
