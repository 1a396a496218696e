# SPDX-License-Identifier: Apache-2.0
"""What a demo did, as a table and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace

from rich.table import Table
from rvl_edge_msgs.msg import Labels, SensorHealth

from rvl_edge import Modality


@dataclass(frozen=True)
class SenseSummary:
    """One sense's numbers; times in milliseconds, rate in results a second.

    Attributes:
        top_label: the label that was first most often; `top_share` is its share of the results.
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
    top_label: str = ""
    top_share: float = 0.0
    seen: tuple[tuple[str, float], ...] = ()
    shown: str = ""

    @classmethod
    def of(
        cls, modality: Modality, health: SensorHealth | None, labels: Labels | None, top: tuple[str, int]
    ) -> SenseSummary:
        """From the newest messages, and the most common first label with its count."""
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
            top_label=top[0],
            top_share=round(min(1.0, top[1] / max(1, health.published)), 3),
            seen=tuple((name, round(float(probability), 4)) for name, probability in seen),
            shown=labels.header.frame_id if labels else "",
        )


@dataclass(frozen=True)
class Summary:
    """All senses, and the names of processes that ended by themselves."""

    senses: tuple[SenseSummary, ...]
    died: tuple[str, ...]

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
        """`{"ok": ..., "complaints": [...], "senses": {"image": {"received": ..., ...}, ...}}`."""
        senses = {each.modality: asdict(each) for each in self.senses}
        whole = {"ok": not self.complaints, "complaints": self.complaints, "senses": senses}
        return json.dumps(whole, indent=2) + "\n"


def table(summary: Summary, *, final: bool) -> Table:
    """A row a sense: counts at the end, the newest labels while it runs."""
    columns = ["sense", "in", "out", "dropped", "p50 ms", "p99 ms", "rate Hz"]
    view = Table(*columns, *(["top label"] if final else ["labels now", "shown"]))
    for column in view.columns[1:7]:
        column.justify = "right"
    for each in summary.senses:
        numbers = [str(number) for number in (each.received, each.published, each.dropped)]
        times = ["-" if time is None else f"{time:.1f}" for time in (each.p50_ms, each.p99_ms)]
        if final:
            words = [f"{each.top_label} ({each.top_share:.0%} of results)" if each.published else each.state]
        else:
            labels = ", ".join(f"{name} {probability:.0%}" for name, probability in each.seen)
            words = [labels or each.state, each.shown]
        view.add_row(each.modality, *numbers, *times, f"{each.rate_hz:.1f}", *words)
    return view


def _number(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None
