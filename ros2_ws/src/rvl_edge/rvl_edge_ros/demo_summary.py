# SPDX-License-Identifier: Apache-2.0
"""What a demo did, as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass, replace

from rich.table import Table
from rvl_edge_msgs.msg import Labels, SceneLabels, SensorHealth

from rvl_edge import Modality
from rvl_edge_ros.demo_acts import ActSummary, trust_text


@dataclass(frozen=True)
class SenseSummary:
    """One sense's numbers; times in milliseconds, rate in results a second.

    Attributes:
        decision: what it was decided to be most often; `decision_share` is its share of the results.
        trust: in the newest results; None where nothing was looked for. `reason` is the gravest against it.
        seen: the newest result's labels, best first, as (name, probability).
        shown: what the replay said it showed then.
    """

    modality: str
    state: str = "no report yet"
    received: int = 0
    published: int = 0
    dropped: int = 0
    rejected: int = 0
    failed: int = 0
    rate_hz: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None
    decision: str = ""
    decision_share: float = 0.0
    trust: float | None = None
    reason: str = ""
    seen: tuple[tuple[str, float], ...] = ()
    shown: str = ""

    @classmethod
    def of(
        cls, modality: Modality, health: SensorHealth | None, labels: Labels | None, top: tuple[str, int]
    ) -> SenseSummary:
        """From the newest messages, and the most common decision with its count."""
        if health is None:
            return cls(modality.value)
        seen = zip(labels.names[:3], labels.probabilities[:3], strict=True) if labels else ()
        return cls(
            modality=modality.value,
            state=health.detail,
            received=health.received,
            published=health.published,
            dropped=health.dropped,
            rejected=health.rejected,
            failed=health.failed,
            rate_hz=round(health.output_rate, 2),
            p50_ms=_number(health.total_p50_ms),
            p99_ms=_number(health.total_p99_ms),
            decision=top[0],
            decision_share=round(min(1.0, top[1] / max(1, health.published)), 3),
            trust=_number(health.trust),
            reason=health.findings[0].detail if health.findings else "",
            seen=tuple((name, round(float(probability), 4)) for name, probability in seen),
            shown=labels.header.frame_id if labels else "",
        )


@dataclass(frozen=True)
class SceneSummary:
    """What all senses say together.

    Attributes:
        published: how many scenes came.
        decision: the newest one's.
        probability: of its first label; 0 where it has none.
        common: what was decided most often.
    """

    published: int = 0
    decision: str = ""
    probability: float = 0.0
    common: str = ""

    @classmethod
    def of(cls, newest: SceneLabels | None, decisions: Counter[str]) -> SceneSummary:
        """From the newest message and the count of all decisions."""
        if newest is None:
            return cls()
        return cls(
            published=decisions.total(),
            decision=newest.decision,
            probability=round(float(newest.probabilities[0]), 4) if newest.names else 0.0,
            common=decisions.most_common(1)[0][0],
        )


@dataclass(frozen=True)
class Summary:
    """All senses, what they say together, and the names of processes that ended by themselves.

    `acts` are there where the camera was tampered with.
    """

    senses: tuple[SenseSummary, ...]
    died: tuple[str, ...]
    scene: SceneSummary = SceneSummary()
    acts: tuple[ActSummary, ...] = ()

    @property
    def has_results(self) -> bool:
        """Whether anything was perceived."""
        return any(sense.published for sense in self.senses)

    @property
    def complaints(self) -> tuple[str, ...]:
        """Why the demo did not do what it should."""
        silent = [
            f"{each.modality} published nothing: {each.state}" for each in self.senses if not each.published
        ]
        return (*(f"{name} ended by itself" for name in self.died), *silent)

    def with_rates_of(self, playing: Summary) -> Summary:
        """The same with the rates of while it still played; they fall once it has stopped."""
        pairs = zip(self.senses, playing.senses, strict=True)
        senses = tuple(replace(now, rate_hz=before.rate_hz) for now, before in pairs)
        return replace(self, senses=senses)

    def to_json(self) -> str:
        """`{"ok": ..., "complaints": [...], "senses": {"image": ..., ...}, "scene": ..., "acts": [...]}`."""
        whole = {
            "ok": not self.complaints,
            "complaints": self.complaints,
            "senses": {each.modality: asdict(each) for each in self.senses},
            "scene": asdict(self.scene),
            "acts": [asdict(each) for each in self.acts],
        }
        return json.dumps(whole, indent=2) + "\n"


def table(summary: Summary, *, final: bool) -> Table:
    """A row a sense: counts at the end, the newest labels while it runs."""
    columns = ["sense", "in", "out", "dropped", "p50 ms", "p99 ms", "rate Hz", "trust"]
    view = Table(*columns, *(["decision"] if final else ["labels now", "shown"]))
    for column in view.columns[1:8]:
        column.justify = "right"
    for each in summary.senses:
        numbers = [str(number) for number in (each.received, each.published, each.dropped)]
        times = ["-" if time is None else f"{time:.1f}" for time in (each.p50_ms, each.p99_ms)]
        if final:
            words = [
                f"{each.decision} ({each.decision_share:.0%} of results)" if each.published else each.state
            ]
        else:
            labels = ", ".join(f"{name} {probability:.0%}" for name, probability in each.seen)
            words = [labels or each.state, each.shown]
        rates = [f"{each.rate_hz:.1f}", trust_text(each.trust)]
        view.add_row(each.modality, *numbers, *times, *rates, *words)
    scene = summary.scene
    if scene.published:
        now = f"{scene.decision} {scene.probability:.0%}"
        view.caption = f"scene: {f'{scene.common} most often of {scene.published}' if final else now}"
    return view


def _number(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None
