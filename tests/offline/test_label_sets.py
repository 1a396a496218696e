# SPDX-License-Identifier: Apache-2.0
"""The label sets that users export with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.labels import read_label_sets, read_templates
from rvl_edge.text.prompts import checked_labels, checked_templates
from rvl_edge.types import Modality

CALIBRATION = Path(__file__).resolve().parents[2] / "calibration"


@pytest.mark.parametrize("folder", ["labels", "open-labels"])
def test_every_set_can_be_ranked_and_every_sense_asked(folder: str) -> None:
    templates = read_templates(CALIBRATION / folder)
    for name, each in read_label_sets(CALIBRATION / folder).items():
        assert (CALIBRATION / folder / f"{name}.yaml").is_file()
        checked_labels([phrase for label, names in each.concepts.items() for phrase in (label, *names)])
        assert set(each.modalities) <= set(templates)
    for prompts in templates.values():
        assert len(set(checked_templates(prompts))) == len(prompts)


def test_encoders_of_free_text_can_start_in_every_sense() -> None:
    offered = [each.modalities for each in read_label_sets(CALIBRATION / "open-labels").values()]
    assert {sense for senses in offered for sense in senses} == set(Modality)
    assert set(read_templates(CALIBRATION / "open-labels")) == set(Modality)


@pytest.mark.parametrize("read", [read_label_sets, read_templates])
def test_a_folder_without_them_says_where_they_are_and_how_to_name_it(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(ConfigError, match=r"calibration/labels of a clone.*--labels"):
        read(tmp_path)
