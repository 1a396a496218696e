# SPDX-License-Identifier: Apache-2.0
"""Intervals against published values, and results against answers counted one by one."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from rvl_edge import Perceiver
from rvl_edge.errors import ConfigError
from rvl_edge.offline.datasets.cifar10 import CLASSES
from rvl_edge.offline.evaluation.evaluate import Result, evaluate, read_targets
from rvl_edge.offline.evaluation.report import write_report
from rvl_edge.offline.evaluation.wilson import proportion
from rvl_edge.types import Modality


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [  # Newcombe 1998, table I, method 3; and the rule of the extremes
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_intervals_are_wilsons(successes: int, trials: int, low: float, high: float) -> None:
    found = proportion(successes, trials)
    assert found.value == successes / trials
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


@pytest.fixture
def stills(tmp_path: Path) -> Path:
    """Twenty pictures of random blots, two a class, as folders."""
    random = np.random.default_rng(0)
    for name in CLASSES:
        folder = tmp_path / "cifar10/test" / name
        folder.mkdir(parents=True)
        for number in range(2):
            blots = cv2.resize(random.integers(0, 255, (4, 4, 3)).astype(np.uint8), (32, 32))
            cv2.imwrite(str(folder / f"{number}.png"), blots)
    return tmp_path


def test_results_are_what_the_perceiver_answers(tiny_bundle: Path, stills: Path) -> None:
    with warnings.catch_warnings(), Perceiver.open(tiny_bundle, modalities=["image"]) as perceiver:
        warnings.simplefilter("ignore")  # the random bundle was trained on nothing
        (result,) = evaluate(perceiver, stills, targets={"objects": 0.99})
        left = perceiver.labels("image")
        perceiver.set_labels(CLASSES, "image")
        expected = np.zeros((10, 10), int)
        for truth, name in enumerate(CLASSES):
            for path in (stills / "cifar10/test" / name).glob("*.png"):
                picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
                answer = perceiver.image(picture).labels[0].name
                expected[truth, CLASSES.index(answer)] += 1
    assert left == ("dog", "car", "person")
    assert (result.confusion == expected).all()
    assert result.accuracy.value == expected.trace() / 20
    assert not result.passed


def test_a_label_set_that_the_bundle_lacks_is_refused(tiny_bundle: Path, stills: Path) -> None:
    with Perceiver.open(tiny_bundle, modalities=["video"]) as perceiver, pytest.raises(ConfigError) as error:
        evaluate(perceiver, stills)
    assert "moving-objects" in str(error.value)


def test_a_report_holds_every_number_and_a_picture(tmp_path: Path) -> None:
    confusion = np.array([[8, 2], [5, 15]])
    result = Result(Modality.VIDEO, "camera-motion", ("left", "right"), True, confusion, 0.7)
    write_report((result,), tmp_path / "report")
    (read,) = json.loads((tmp_path / "report/results.json").read_text())
    assert read["accuracy"]["value"] == pytest.approx(23 / 30)
    assert read["recall"]["left"]["value"] == pytest.approx(0.8)
    assert read["recall"]["right"]["trials"] == 20
    assert read["passed"]
    assert read["simulated"]
    picture = cv2.imread(str(tmp_path / "report/confusion-video-camera-motion.png"))
    assert picture is not None


def test_targets_are_read_and_nonsense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "targets.yaml"
    path.write_text("objects: 0.8\nsounds: 0.75\n")
    assert read_targets(path) == {"objects": 0.8, "sounds": 0.75}
    path.write_text("- objects\n")
    with pytest.raises(ConfigError):
        read_targets(path)
