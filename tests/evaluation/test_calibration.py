# SPDX-License-Identifier: Apache-2.0
"""Calibration errors against sums by hand and against answers that are calibrated by construction."""

from __future__ import annotations

import numpy as np
import pytest

from rvl_edge.offline.evaluation.calibration import equal_mass, equal_width


def test_a_case_by_hand() -> None:
    confidences = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 0.5], np.float32)
    right = np.array([True, False, True, True, False, False])
    two = equal_width(confidences, right, bins=2)  # (0, 0.5] has three, (0.5, 1] three
    assert [each.share for each in two.bins] == [0.5, 0.5]
    assert [each.accuracy for each in two.bins] == pytest.approx([1 / 3, 2 / 3])
    assert two.error == pytest.approx(0.5 * (1.1 / 3 - 1 / 3) + 0.5 * (2.4 / 3 - 2 / 3))


def test_answers_that_keep_their_word_have_no_error() -> None:
    random = np.random.default_rng(0)
    confidences = random.uniform(0.1, 1, 200_000).astype(np.float32)
    right = random.uniform(size=200_000) < confidences
    assert equal_width(confidences, right).error < 0.01
    assert equal_mass(confidences, right).error < 0.01
    boastful = np.sqrt(confidences)
    expected = float(np.mean(boastful - confidences))  # always too sure, so no bin cancels another
    assert equal_width(boastful, right).error == pytest.approx(expected, abs=0.01)


def test_bins_of_equal_mass_hold_equally_many_even_of_ties() -> None:
    confidences = np.full(150, 0.9, np.float32)
    found = equal_mass(confidences, np.arange(150) % 2 == 0)
    assert [each.share for each in found.bins] == pytest.approx([1 / 15] * 15)
    assert equal_width(confidences, np.arange(150) % 2 == 0).error == pytest.approx(0.4, abs=1e-6)
