# SPDX-License-Identifier: Apache-2.0
"""Simulated faults: what they leave alone, and that a rule or statistic moves where a sensor breaks."""

from __future__ import annotations

import numpy as np
import pytest

from rvl_edge.offline.evaluation.faults import FAULTS
from rvl_edge.types import Modality

RANDOM = np.random.default_rng(0)
SAMPLES = {
    Modality.IMAGE: RANDOM.integers(20, 200, (32, 40, 3), np.uint8),
    Modality.VIDEO: RANDOM.integers(20, 200, (4, 32, 40, 3), np.uint8),
    Modality.THERMAL: RANDOM.integers(20, 200, (32, 40), np.uint8),
    Modality.AUDIO: RANDOM.normal(0, 0.2, 16_000).astype(np.float32),
}


@pytest.mark.parametrize(
    ("modality", "name"), [(sense, name) for sense, known in FAULTS.items() for name in known]
)
def test_a_fault_changes_a_copy_of_the_same_kind(modality: Modality, name: str) -> None:
    sample = SAMPLES[modality]
    before = sample.copy()
    broken = FAULTS[modality][name](sample, np.random.default_rng(1))
    np.testing.assert_array_equal(sample, before)
    assert (broken.shape, broken.dtype) == (sample.shape, sample.dtype)
    assert not np.array_equal(broken, sample)
    again = FAULTS[modality][name](sample, np.random.default_rng(1))
    np.testing.assert_array_equal(broken, again)


def test_gaps_are_a_fifth_of_the_packets_and_zero() -> None:
    broken = FAULTS[Modality.AUDIO]["gaps"](SAMPLES[Modality.AUDIO], np.random.default_rng(1))
    packets = broken.reshape(-1, 320)
    silent = (packets == 0).all(axis=1)
    assert 0.05 < silent.mean() < 0.4
    assert (packets[~silent] == SAMPLES[Modality.AUDIO].reshape(-1, 320)[~silent]).all()
