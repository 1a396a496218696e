# SPDX-License-Identifier: Apache-2.0
"""Perceptions -> messages."""

from __future__ import annotations

import array
from collections.abc import Iterable
from typing import Any

from builtin_interfaces.msg import Time
from rvl_edge_msgs.msg import Embedding, Labels
from rvl_edge_msgs.msg import Finding as FindingMessage
from std_msgs.msg import Header

from rvl_edge import Finding, Perception
from rvl_edge_ros.samples import Sample
from rvl_edge_ros.windows import NANOSECONDS

try:
    from vision_msgs.msg import Classification, ObjectHypothesis
except ImportError:  # an optional package of a full ROS 2
    Classification = None

__all__ = [
    "Classification",
    "classification_message",
    "embedding_message",
    "finding_messages",
    "labels_message",
    "time_message",
]


def time_message(nanoseconds: int) -> Time:
    """A stamp from nanoseconds."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return Time(sec=seconds, nanosec=rest)


def embedding_message(seen: Perception, sample: Sample, model_id: str) -> Embedding:
    """The embedding of a sample, under the sample's header."""
    return Embedding(
        header=_header(sample),
        modality=seen.modality.value,
        model_id=model_id,
        window_start=time_message(sample.start),
        window_end=time_message(sample.end),
        normalized=True,
        data=array.array("f", seen.embedding.tobytes()),
    )


def labels_message(seen: Perception, sample: Sample, model_id: str) -> Labels:
    """The ranked labels of a sample, under the sample's header."""
    spent = seen.refinement
    return Labels(
        header=_header(sample),
        modality=seen.modality.value,
        model_id=model_id,
        window_start=time_message(sample.start),
        window_end=time_message(sample.end),
        labels_version=seen.labels_version,
        names=[label.name for label in seen.labels],
        probabilities=[label.probability for label in seen.labels],
        decision=seen.decision,
        plausible=list(seen.plausible),
        trust=float("nan") if seen.trust is None else seen.trust.value,
        findings=[] if seen.trust is None else finding_messages(seen.trust.findings),
        preprocess_ms=seen.timing.preprocess,
        encode_ms=seen.timing.encode,
        refine_ms=seen.timing.refine,
        classify_ms=seen.timing.classify,
        judge_ms=seen.timing.judge,
        refine_views=0 if spent is None else spent.views,
        refine_labels=0 if spent is None else spent.classes,
        refine_reason="" if spent is None else spent.why.value,
    )


def finding_messages(findings: Iterable[Finding]) -> list[FindingMessage]:
    """Reasons to trust less, in their order."""
    return [FindingMessage(monitor=each.monitor, trust=each.trust, detail=each.detail) for each in findings]


def classification_message(seen: Perception, sample: Sample) -> Any:
    """The same as vision_msgs/Classification; only where vision_msgs is installed."""
    results = [ObjectHypothesis(class_id=label.name, score=label.probability) for label in seen.labels]
    return Classification(header=_header(sample), results=results)


def _header(sample: Sample) -> Header:
    """The message's own, with the time by which the sample counts where the message had no stamp."""
    header: Header = sample.header
    if header.stamp.sec or header.stamp.nanosec:
        return header
    return Header(stamp=time_message(sample.end), frame_id=header.frame_id)
