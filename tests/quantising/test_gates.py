# SPDX-License-Identifier: Apache-2.0
"""Gates between a reference and what was made of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rvl_edge.backends import IOSpec, TensorSpec
from rvl_edge.errors import GateFailed
from rvl_edge.offline.gates import (
    Attacked,
    Frames,
    GateRecipe,
    Replay,
    ask,
    hold,
    report_json,
    require,
)

CLASSES, COUNT = 4, 400
EYE = np.eye(CLASSES, dtype=np.float32)


class FakeEngine:
    """Any runtime: maps (B, D) inputs to embeddings by a function."""

    io = IOSpec(
        TensorSpec("pixel_values", (None, CLASSES), np.dtype(np.float32)),
        TensorSpec("embedding", (None, CLASSES), np.dtype(np.float32)),
    )
    description = "made up"

    def __init__(self, encode: Callable[[Any], Any]) -> None:
        self._encode = encode
        self.batches: list[int] = []

    def run(self, batch: Any) -> Any:
        self.batches.append(len(batch))
        out = self._encode(batch)
        return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)

    def warm_up(self) -> None:
        self.run(np.ones((1, CLASSES), np.float32))

    def close(self) -> None:
        pass


def frames(attacked: bool = True) -> Frames:
    """Clear cases of each class, and under attack cases that are only just right."""
    truths = np.arange(COUNT) % CLASSES
    noise = np.random.default_rng(0).normal(size=(COUNT, CLASSES), scale=0.01).astype(np.float32)
    narrow = 0.02 * EYE[truths] + np.abs(noise).mean()
    hit = Attacked(np.float32(1) + narrow, "made up", "none") if attacked else None
    return Frames(EYE[truths] + noise, truths, EYE, "made up", hit)


def same(batch: Any) -> Any:
    return batch


def replay(asked: Frames) -> Replay:
    """The frames, and what an encoder that changes nothing makes of them."""
    return Replay(asked, ask(FakeEngine(same), asked))


def held(candidate: Callable[[Any], Any], gates: GateRecipe | None = None, attacked: bool = True) -> Any:
    return hold(
        replay(frames(attacked)),
        FakeEngine(candidate),
        gates or GateRecipe(),
        backend="made up",
        precision="int8",
    )


def test_the_same_encoder_loses_nothing_and_passes() -> None:
    report = held(same)
    assert report.missed == ()
    assert report.clean.lost.value == report.robust.lost.value == 0
    assert report.parity.cosine_min == pytest.approx(1)
    require(report, "image", fix="nothing")


def test_an_encoder_that_only_attacked_frames_tell_apart_misses_the_robust_gate_alone() -> None:
    def blurred(batch: Any) -> Any:
        return np.where(batch > 0.5, np.round(batch * 8) / 8, batch)

    report = held(blurred, GateRecipe(cosine_min=0.9, max_abs=1.0))
    assert report.missed == ("robust",)
    assert report.robust.candidate.value < 0.5 < report.robust.reference.value
    with pytest.raises(GateFailed, match=r"image missed 1 of its gates \(robust\)"):
        require(report, "image", fix="nothing")


def test_an_encoder_that_is_far_off_but_answers_right_misses_parity_alone() -> None:
    report = held(lambda batch: np.where(batch == batch.max(axis=1, keepdims=True), 9, batch) + 2)
    assert report.missed == ("parity",)


def test_a_ruined_encoder_misses_everything() -> None:
    report = held(lambda batch: np.ones_like(batch) + 1e-3 * batch[:, ::-1])
    assert set(report.missed) == {"parity", "clean", "robust"}


def test_too_few_frames_rule_nothing_out() -> None:
    few = frames()
    cut = Frames(few.inputs[:20], few.truths[:20], few.anchors, few.source)
    gates = GateRecipe(clean_drop=0.02)
    report = hold(replay(cut), FakeEngine(same), gates, backend="made up", precision="int8")
    assert report.clean.lost.value == 0
    assert report.missed == ("clean",)


def test_without_attacked_frames_there_is_no_robust_gate_and_the_report_says_so() -> None:
    report = held(same, attacked=False)
    assert report.passed
    written = json.loads(report_json({"image": report}))
    assert written["image"]["robust"] is None
    assert written["image"]["missed"] == []


def test_an_engine_for_at_most_four_samples_is_never_asked_for_more() -> None:
    engine = FakeEngine(same)
    hold(replay(frames()), engine, GateRecipe(), backend="made up", precision="int8")
    assert max(engine.batches) <= 4
