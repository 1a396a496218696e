# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.arms import Effort
from rvl_edge.offline.evaluation.asking import attack_arm
from rvl_edge.offline.evaluation.budgets import Ball, Ratio, radii, radius, ratios
from rvl_edge.offline.hardening.domains import Waveform
from rvl_edge.offline.hardening.threat import Norm
from rvl_edge.preprocess.spec import AudioSpec

SOUNDS = AudioSpec(num_mel_bins=32, target_length=64, mean=-4.0, std=4.0)


def test_radii_are_parts_of_255_unless_written_as_fractions() -> None:
    assert radii("8,1, 2") == (1 / 255, 2 / 255, 8 / 255)
    assert radii("0.5/255,4/255,0.5") == (0.5 / 255, 4 / 255)
    assert radii("1/2") == (0.5,)


@pytest.mark.parametrize("text", ["", "four", "0", "-1", "4/0", "1,,2", "nan", "inf"])
def test_what_is_no_radius_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"0\.5/255"):
        radii(text)


def test_several_radii_are_not_taken_for_one() -> None:
    assert radius("4") == 4 / 255
    with pytest.raises(ConfigError, match="one radius, not several: got 4,8"):
        radius("4,8")


def test_only_an_l2_radius_may_be_longer_than_one_number_is_wide() -> None:
    assert Ball(Norm.L2, radii("765")[0]).eps == 3.0  # RobustBench's for ImageNet
    with pytest.raises(ConfigError, match="got 256/255"):
        Ball(Norm.LINF, radii("256")[0])


def test_ratios_fall_from_the_weakest_attack() -> None:
    assert ratios("20,40,30") == (40, 30, 20)
    with pytest.raises(ConfigError):
        ratios("loud")


@pytest.mark.parametrize("name", ["pgd", "square", "autoattack"])
def test_an_attack_of_one_radius_for_all_is_not_planned_by_ratio(name: str) -> None:
    with pytest.raises(ConfigError):
        attack_arm(name, Ratio(Waveform(SOUNDS), 20.0), Effort())


def test_a_ratio_is_what_is_left_between_sound_and_perturbation() -> None:
    sounds = 0.5 + 0.1 * torch.randn(3, 4000, generator=torch.Generator().manual_seed(0))
    threat = Ratio(Waveform(SOUNDS), 20.0).threat(sounds)
    noise = threat.project(sounds + torch.randn(3, 4000), sounds) - sounds
    ratio = 20 * torch.log10((sounds - 0.5).norm(dim=1) / noise.norm(dim=1))
    torch.testing.assert_close(ratio, torch.full((3,), 20.0), atol=0.01, rtol=0)
