# SPDX-License-Identifier: Apache-2.0
"""Scenes as messages: rvl_edge_msgs/SceneLabels, and a row of /diagnostics."""

from __future__ import annotations

import math
from collections.abc import Iterable

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rvl_edge_msgs.msg import SceneLabels, SenseVote

from rvl_edge import Modality
from rvl_edge_ros.health import State
from rvl_edge_ros.results import finding_messages, time_message
from rvl_edge_ros.scenes import SceneReading

_SHOWN = 3  # labels in a row of /diagnostics


def scene_message(reading: SceneReading, modalities: Iterable[Modality], model_id: str) -> SceneLabels:
    """The newest scene, with a vote of every sense in `modalities`; there must be one."""
    scene = reading.scene
    assert scene is not None
    message = SceneLabels(
        model_id=model_id,
        names=[label.name for label in scene.labels],
        probabilities=[label.probability for label in scene.labels],
        decision=scene.decision,
        senses=[_vote(reading, each) for each in modalities],
        findings=finding_messages(scene.findings),
    )
    message.header.stamp = time_message(reading.stamp)
    return message


def scene_status(
    reading: SceneReading,
    modalities: Iterable[Modality],
    node_name: str,
    model_id: str,
    *,
    states: Iterable[State],
    stale_after: float,
) -> DiagnosticStatus:
    """The newest scene for people and dashboards.

    It is stale where it is older than `stale_after` seconds and no sense in `states` has results: one that is
    asked for few of them is in order between two.
    """
    fed = any(each in (State.OK, State.DISTRUSTED) for each in states)
    level, text = _judge(reading, math.inf if fed else stale_after)
    rows = {
        "labels": ", ".join(
            f"{label.name} {label.probability:.2f}"
            for label in (reading.scene.labels[:_SHOWN] if reading.scene else ())
        ),
        **{each.value: _words(_vote(reading, each)) for each in modalities},
        "published": reading.published,
        "failed": reading.failed,
        "last error": reading.last_error or "none",
    }
    return DiagnosticStatus(
        level=level,
        name=f"{node_name}: scene",
        message=text,
        hardware_id=model_id,
        values=[KeyValue(key=key, value=str(value)) for key, value in rows.items()],
    )


def _judge(reading: SceneReading, stale_after: float) -> tuple[bytes, str]:
    scene = reading.scene
    if reading.failing:
        return DiagnosticStatus.ERROR, reading.last_error
    if scene is None:
        return DiagnosticStatus.WARN, "no result of any sense yet"
    if reading.silence > stale_after:
        return DiagnosticStatus.STALE, f"no scene for {reading.silence:.1f} s"
    if scene.findings:
        return DiagnosticStatus.WARN, "; ".join(each.detail for each in scene.findings)
    if not scene.labels:
        return DiagnosticStatus.WARN, "no sense is trusted"
    return DiagnosticStatus.OK, scene.decision


def _vote(reading: SceneReading, modality: Modality) -> SenseVote:
    seen, scene = reading.newest.get(modality), reading.scene
    if seen is None or scene is None:
        nothing = float("nan")
        return SenseVote(modality=modality.value, trust=nothing, age=nothing, masked="no result yet")
    vote = next((each for each in scene.votes if each.modality is modality), None)
    age = reading.age(modality)
    trust = seen.perception.trust
    return SenseVote(
        modality=modality.value,
        weight=0.0 if vote is None else vote.weight,
        trust=float("nan") if trust is None else trust.value,
        age=max(0.0, age),
        decision=seen.perception.decision,
        masked="" if vote is not None else f"its newest sample is {abs(age):.1f} s {_side(age)}",
    )


def _words(vote: SenseVote) -> str:
    return vote.masked or f"{vote.decision}, weight {vote.weight:.2f}, {vote.age:.1f} s old"


def _side(age: float) -> str:
    return "behind" if age > 0 else "ahead"
