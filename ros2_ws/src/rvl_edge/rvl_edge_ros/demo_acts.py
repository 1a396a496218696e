# SPDX-License-Identifier: Apache-2.0
"""What the node made of each act of a camera that was tampered with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from rich.table import Table
from rvl_edge_msgs.msg import Labels

from rvl_edge_ros.spoof import ACTS, act_of


@dataclass(frozen=True)
class ActSummary:
    """One act.

    Attributes:
        act: its name.
        shown: what the replay said it showed.
        results: how many of its pictures were perceived.
        decision: what the camera decided most often; `decision_share` is its share of the results.
        trust: median trust in the camera; None where nothing was looked for.
        reason: the monitor that most often was the gravest; empty where none found anything.
        scene: what the scene was decided to be most often while the act lasted, and its share.
    """

    act: str
    shown: str
    results: int
    decision: str
    decision_share: float
    trust: float | None
    reason: str
    scene: str
    scene_share: float


class Acts:
    """Sorts the camera's results and the scenes by the act that was on when they were published."""

    def __init__(self) -> None:
        self._now = ""
        self._shown: dict[str, str] = {}
        self._decisions: dict[str, Counter[str]] = {act: Counter() for act in ACTS}
        self._scenes: dict[str, Counter[str]] = {act: Counter() for act in ACTS}
        self._reasons: dict[str, Counter[str]] = {act: Counter() for act in ACTS}
        self._trusts: dict[str, list[float]] = {act: [] for act in ACTS}

    def see(self, labels: Labels) -> None:
        """Take a result of the camera."""
        act = self._now = act_of(labels.header.frame_id)
        if not act:
            return
        self._shown[act] = labels.header.frame_id
        self._decisions[act][labels.decision] += 1
        if math.isfinite(labels.trust):
            self._trusts[act].append(labels.trust)
        if labels.findings:
            self._reasons[act][labels.findings[0].monitor] += 1

    def see_scene(self, decision: str) -> None:
        """Take the decision of a scene."""
        if self._now:
            self._scenes[self._now][decision] += 1

    def summary(self) -> tuple[ActSummary, ...]:
        """Every act that was seen, in their order."""
        return tuple(self._act(act) for act in ACTS if act in self._shown)

    def _act(self, act: str) -> ActSummary:
        trusts = self._trusts[act]
        decision, decision_share = _most(self._decisions[act])
        scene, scene_share = _most(self._scenes[act])
        return ActSummary(
            act=act,
            shown=self._shown[act],
            results=self._decisions[act].total(),
            decision=decision,
            decision_share=decision_share,
            trust=round(median(trusts), 3) if trusts else None,
            reason=_most(self._reasons[act])[0],
            scene=scene,
            scene_share=scene_share,
        )


def acts_table(acts: tuple[ActSummary, ...]) -> Table:
    """A row an act."""
    view = Table("camera", "decision", "trust", "because of", "scene", title="A camera that is tampered with")
    for each in acts:
        decision, scene = (
            f"{name} ({share:.0%})" if name else "-"
            for name, share in ((each.decision, each.decision_share), (each.scene, each.scene_share))
        )
        view.add_row(each.shown, decision, trust_text(each.trust), each.reason or "-", scene)
    return view


def trust_text(trust: float | None) -> str:
    """Trust for people."""
    return "-" if trust is None else f"{trust:.2f}"


def _most(counts: Mapping[str, int]) -> tuple[str, float]:
    """The most common, and its share; nothing where nothing was counted."""
    if not counts:
        return "", 0.0
    name = max(counts, key=lambda each: counts[each])
    return name, round(counts[name] / sum(counts.values()), 3)
