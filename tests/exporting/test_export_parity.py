# SPDX-License-Identifier: Apache-2.0
"""The comparison, on embeddings whose distances are known."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from rvl_edge.errors import GateFailed
from rvl_edge.offline.exporting.comparing import Comparisons, kept_beside
from rvl_edge.offline.exporting.parity import (
    Embedded,
    Parity,
    Thresholds,
    compare,
    require,
    worst_sample,
)

LOOSE = Thresholds(cosine_min=0.5, max_abs=1.0, top1_min=0.5)


def turned(*degrees: float) -> np.ndarray:
    """Unit vectors of the plane at these angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def compared(wanted: Embedded, found: Embedded, thresholds: Thresholds = LOOSE) -> Parity:
    return compare(wanted, found, thresholds, backend="onnxruntime", precision="float32", source="made up")


def test_numbers_of_known_angles() -> None:
    wanted = Embedded(turned(0, 90, 180, 45), np.array([0, 1, 2, 3]))
    found = Embedded(turned(0, 100, 181, 45), np.array([0, 1, 0, 3]))
    parity = compared(wanted, found)
    assert parity.samples == 4
    assert parity.cosine_min == pytest.approx(np.cos(np.radians(10)), abs=1e-6)
    assert parity.cosine_mean == pytest.approx(np.cos(np.radians([0, 10, 1, 0])).mean(), abs=1e-6)
    assert parity.max_abs == pytest.approx(np.sin(np.radians(10)), abs=1e-6)
    assert parity.top1_agreement == 0.75
    assert parity.worst == 1
    assert parity.passed


@pytest.mark.parametrize(
    "thresholds",
    [
        Thresholds(cosine_min=0.99, max_abs=1.0, top1_min=0.5),
        Thresholds(cosine_min=0.5, max_abs=0.1, top1_min=0.5),
        Thresholds(cosine_min=0.5, max_abs=1.0, top1_min=0.6),
    ],
    ids=["cosine", "difference", "labels"],
)
def test_each_threshold_fails_alone(thresholds: Thresholds) -> None:
    wanted = Embedded(turned(0, 20), np.array([0, 1]))
    found = Embedded(turned(0, 30), np.array([0, 0]))
    require(compared(wanted, found), "image")
    parity = compared(wanted, found, thresholds)
    assert not parity.passed
    with pytest.raises(GateFailed, match="image graph disagrees") as caught:
        require(parity, "image")
    assert "onnxruntime" in str(caught.value)


def test_numbers_that_are_none_never_pass() -> None:
    broken = turned(0, 10)
    broken[1, 0] = np.nan
    always = Thresholds(cosine_min=-1, max_abs=1e9, top1_min=0)
    assert not compared(Embedded(turned(0, 10)), Embedded(broken), always).passed


def test_text_has_no_labels_and_needs_none() -> None:
    parity = compared(Embedded(turned(3, 4)), Embedded(turned(3, 4)))
    assert parity.top1_agreement is None
    assert parity.passed


def kept(path: Path, *, fail: bool) -> None:
    wanted, found = Embedded(turned(0, 90)), Embedded(turned(0, 100))
    parity = compared(wanted, found)
    with kept_beside(path) as comparisons:
        inputs = np.arange(6).reshape(2, 3)
        comparisons.add("image", parity, worst_sample(parity, inputs, wanted, found))
        if fail:
            raise GateFailed("missed")


@pytest.mark.parametrize("fail", [False, True])
def test_comparisons_are_kept_however_it_ends(tmp_path: Path, fail: bool) -> None:
    bundle = tmp_path / "bundle"
    if fail:
        with pytest.raises(GateFailed):
            kept(bundle, fail=True)
    else:
        kept(bundle, fail=False)
    report = json.loads((tmp_path / "bundle.parity" / "parity.json").read_text())
    assert report["onnxruntime"]["image"]["worst"] == 1
    worst = np.load(io.BytesIO((tmp_path / "bundle.parity" / "image-onnxruntime.npz").read_bytes()))
    np.testing.assert_array_equal(worst["input"], [3, 4, 5])
    np.testing.assert_allclose(worst["checkpoint"], turned(90)[0])
    np.testing.assert_allclose(worst["graph"], turned(100)[0])


def test_nothing_compared_nothing_kept(tmp_path: Path) -> None:
    with kept_beside(tmp_path / "bundle") as comparisons:
        assert isinstance(comparisons, Comparisons)
    assert list(tmp_path.iterdir()) == []
