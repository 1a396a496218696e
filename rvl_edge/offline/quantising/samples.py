# SPDX-License-Identifier: Apache-2.0
"""Model inputs to calibrate on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rvl_edge.offline.datasets.loading import FOLDERS, load_part
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.trials import make_trial
from rvl_edge.offline.exporting.material import Material
from rvl_edge.preprocess.spec import PreprocessSpec
from rvl_edge.types import Modality


def labelled_inputs(spec: PreprocessSpec, data: Path, count: int) -> Material:
    """Draw from the training part of a sense's labelled set, the same ones every time.

    Args:
        spec: how the sense's samples are prepared.
        data: folder of the labelled sets.
        count: at most so many.

    Raises:
        ConfigError: no such set.
    """
    modality = Modality(spec.kind)
    samples = load_part(modality, data, Part.TRAIN)
    drawn = np.random.default_rng(0).permutation(len(samples))[:count]
    return Material(make_trial(samples.take(drawn), spec).inputs, f"{FOLDERS[modality]}, training part")
