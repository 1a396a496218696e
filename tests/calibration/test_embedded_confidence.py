# SPDX-License-Identifier: Apache-2.0
"""The embedded encoders on real samples: what is promised holds on samples that nothing was fitted on."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from rvl_edge.bundle.opening import DEFAULT_BUNDLE
from rvl_edge.offline.calibration.calibrating import calibrate_bundle
from rvl_edge.types import Modality

ALPHA = 0.1
SAMPLES = 300


@pytest.mark.data
@pytest.mark.parametrize("sense", [Modality.IMAGE, Modality.AUDIO])
def test_coverage_on_the_test_part_is_as_promised(sense: Modality, data_dir: Path, tmp_path: Path) -> None:
    """Within four standard errors of both draws: of the calibration samples, and of those measured."""
    bundle = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))
    outcomes = calibrate_bundle(bundle, data_dir, modalities=[sense], alpha=ALPHA, most=SAMPLES)
    for each in outcomes:
        measured, fitted_on = each.report.answered.trials, each.entry.samples
        spread = 4 * math.sqrt(ALPHA * (1 - ALPHA) * (1 / measured + 1 / fitted_on))
        assert each.report.answered.value >= 1 - ALPHA - spread
        assert each.report.covered.value >= 1 - ALPHA - spread
        assert each.report.set_size.value < len(each.entry.labels) / 2
        assert each.report.unknowns is not None
        assert each.report.unknowns.mean_auroc.low > 0.5
