# SPDX-License-Identifier: Apache-2.0
"""The health of a sense as messages: rvl_edge_msgs/SensorHealth, and a row of /diagnostics."""

from __future__ import annotations

import math
from dataclasses import dataclass

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rvl_edge_msgs.msg import SensorHealth

from rvl_edge import Modality
from rvl_edge_ros.health import State, judge
from rvl_edge_ros.meter import Percentiles, Reading
from rvl_edge_ros.model import Model
from rvl_edge_ros.params import Settings
from rvl_edge_ros.pipeline import Pipeline
from rvl_edge_ros.results import finding_messages

_LEVELS = {
    State.OK: DiagnosticStatus.OK,
    State.WAITING: DiagnosticStatus.WARN,
    State.STALE: DiagnosticStatus.STALE,
    State.DISTRUSTED: DiagnosticStatus.WARN,
}


@dataclass(frozen=True)
class Report:
    """One sense at one moment."""

    modality: Modality
    state: State
    detail: str
    reading: Reading
    labels_version: int
    untrained: tuple[str, ...]
    calibration: str


def sense_reports(model: Model, pipeline: Pipeline, settings: Settings) -> list[Report]:
    """One report a sense that was asked for, those that cannot be had included."""
    reports = [
        Report(each, State.UNAVAILABLE, reason, Reading(), 0, (), "")
        for each, reason in model.unavailable.items()
    ]
    for each, sense in pipeline.senses.items():
        reading = sense.meter.read()
        whose, busy = pipeline.busy(each)
        state, detail = judge(
            reading,
            busy=busy,
            behind="" if whose is each else whose.value,
            stale_after=settings.stale_after,
            inference_timeout=settings.inference_timeout,
            trust_warn=settings.trust_warn,
        )
        version, untrained = model.labels_state(each)
        reports.append(Report(each, state, detail, reading, version, untrained, model.calibration(each)))
    return reports


def health_message(report: Report, stamp: Time) -> SensorHealth:
    """The report for programs."""
    reading, counts = report.reading, report.reading.counts
    message = SensorHealth(
        modality=report.modality.value,
        state=int(report.state),
        detail=report.detail,
        last_error=reading.last_error,
        received=counts.received,
        published=counts.published,
        rejected=counts.rejected,
        dropped=counts.dropped,
        failed=counts.failed,
        input_rate=reading.input_rate,
        output_rate=reading.output_rate,
        preprocess_p50_ms=reading.preprocess.p50,
        preprocess_p99_ms=reading.preprocess.p99,
        encode_p50_ms=reading.encode.p50,
        encode_p99_ms=reading.encode.p99,
        total_p50_ms=reading.total.p50,
        total_p99_ms=reading.total.p99,
        trust=reading.recent.trust,
        findings=finding_messages(reading.recent.findings),
        labels_version=report.labels_version,
        untrained_labels=list(report.untrained),
    )
    message.header.stamp = stamp
    return message


def diagnostic_status(report: Report, node_name: str, model_id: str) -> DiagnosticStatus:
    """The report for people and dashboards."""
    reading, counts = report.reading, report.reading.counts
    level, text = _LEVELS.get(report.state, DiagnosticStatus.ERROR), report.detail
    if report.state is State.OK and report.untrained:
        level, text = DiagnosticStatus.WARN, f"ok, but not trained on: {', '.join(report.untrained[:10])}"
    rows = {
        "state": report.state.name.lower(),
        "received": counts.received,
        "published": counts.published,
        "rejected": counts.rejected,
        "dropped": counts.dropped,
        "failed": counts.failed,
        "input rate (Hz)": f"{reading.input_rate:.1f}",
        "output rate (Hz)": f"{reading.output_rate:.1f}",
        "preprocess p50/p99 (ms)": _pair(reading.preprocess),
        "encode p50/p99 (ms)": _pair(reading.encode),
        "total p50/p99 (ms)": _pair(reading.total),
        "trust": _trust(reading.recent.trust),
        "findings": "; ".join(f"{each.monitor}: {each.detail}" for each in reading.recent.findings) or "none",
        "last error": reading.last_error or "none",
        "labels version": report.labels_version,
        "calibration": report.calibration or "none for these labels: nothing is decided to be unknown",
        "untrained labels": ", ".join(report.untrained) or "none",
    }
    return DiagnosticStatus(
        level=level,
        name=f"{node_name}: {report.modality}",
        message=text,
        hardware_id=model_id,
        values=[KeyValue(key=key, value=str(value)) for key, value in rows.items()],
    )


def node_status(node_name: str, state: str, model_id: str, reason: str) -> DiagnosticStatus:
    """The node itself: its lifecycle state, and why the last transition failed, if it did."""
    level, text = DiagnosticStatus.OK, state
    if reason:
        level, text = DiagnosticStatus.ERROR, f"{state}: {reason}"
    elif state == "finalized":
        level, text = DiagnosticStatus.WARN, "finalized: only another start of the process leads out of it"
    return DiagnosticStatus(
        level=level,
        name=f"{node_name}: node",
        message=text,
        hardware_id=model_id,
        values=[
            KeyValue(key="lifecycle state", value=state),
            KeyValue(key="bundle", value=model_id or "none"),
        ],
    )


def _pair(times: Percentiles) -> str:
    return f"{times.p50:.1f} / {times.p99:.1f}" if math.isfinite(times.p50) else "n/a"


def _trust(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "n/a"
