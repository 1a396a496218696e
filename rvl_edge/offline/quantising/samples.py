# SPDX-License-Identifier: Apache-2.0
"""Model inputs to calibrate on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from rvl_edge.errors import ConfigError
from rvl_edge.media import read_sample
from rvl_edge.offline.collecting import read_samples
from rvl_edge.offline.datasets.loading import FOLDERS, load_part
from rvl_edge.offline.datasets.samples import Part
from rvl_edge.offline.evaluation.trials import make_trial
from rvl_edge.offline.exporting.material import Material, prepared_input
from rvl_edge.preprocess.spec import PreprocessSpec
from rvl_edge.types import Modality

FEWEST: Final = 8  # a quarter of them chooses the method


def calibration_inputs(spec: PreprocessSpec, data: Path, collected: Path | None, count: int) -> Material:
    """Samples of a sense as its encoder takes them, the same ones every time.

    Args:
        spec: how the sense's samples are prepared.
        data: folder of the labelled sets, of which the training part is used.
        collected: folder of `rvl-edge calibrate collect` to use instead.
        count: at most so many.

    Raises:
        ConfigError: no such set or folder, samples of another sense, samples that were changed, or too few.
    """
    modality = Modality(spec.kind)
    random = np.random.default_rng(0)
    if collected is None:
        samples = load_part(modality, data, Part.TRAIN)
        _check_enough(len(samples), FOLDERS[modality])
        drawn = random.permutation(len(samples))[:count]
        trial = make_trial(samples.take(drawn), spec, Part.TRAIN)
        return Material(trial.inputs, f"{FOLDERS[modality]}, training part")
    manifest, paths = read_samples(collected)
    if manifest.modality is not modality:
        raise ConfigError(f"{collected} holds another sense", got=manifest.modality, expected=modality)
    _check_enough(len(paths), collected.name)
    chosen = [paths[at] for at in random.permutation(len(paths))[:count]]
    inputs = np.stack([prepared_input(read_sample(path, modality), spec) for path in chosen])
    return Material(inputs, f"{collected.name}, collected")


def _check_enough(found: int, source: str) -> None:
    if found < FEWEST:
        raise ConfigError(
            f"too few samples in {source} to calibrate on",
            got=found,
            expected=f"{FEWEST} or more",
            fix="collect more: rvl-edge calibrate collect",
        )
