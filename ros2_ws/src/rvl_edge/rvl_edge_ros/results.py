# SPDX-License-Identifier: Apache-2.0
"""Perceptions -> messages."""

from __future__ import annotations

import array
from typing import Any

from builtin_interfaces.msg import Time
from rvl_edge_msgs.msg import Embedding, Labels

from rvl_edge import Perception
from rvl_edge_ros.samples import Sample
from rvl_edge_ros.windows import NANOSECONDS

try:
    from vision_msgs.msg import Classification, ObjectHypothesis
except ImportError:  # an optional package of a full ROS 2
    Classification = None

__all__ = ["Classification", "classification_message", "embedding_message", "labels_message", "time_message"]


def time_message(nanoseconds: int) -> Time:
    """A stamp from nanoseconds."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return Time(sec=seconds, nanosec=rest)


def embedding_message(seen: Perception, sample: Sample, model_id: str) -> Embedding:
    """The embedding of a sample, under the sample's header."""
    return Embedding(
        header=sample.header,
        modality=seen.modality.value,
        model_id=model_id,
        window_start=time_message(sample.start),
        window_end=time_message(sample.end),
        normalized=True,
        data=array.array("f", seen.embedding.tobytes()),
    )


def labels_message(seen: Perception, sample: Sample, model_id: str) -> Labels:
    """The ranked labels of a sample, under the sample's header."""
    return Labels(
        header=sample.header,
        modality=seen.modality.value,
        model_id=model_id,
        window_start=time_message(sample.start),
        window_end=time_message(sample.end),
        labels_version=seen.labels_version,
        names=[label.name for label in seen.labels],
        probabilities=[label.probability for label in seen.labels],
        preprocess_ms=seen.timing.preprocess,
        encode_ms=seen.timing.encode,
        refine_ms=seen.timing.refine,
        classify_ms=seen.timing.classify,
    )


def classification_message(seen: Perception, sample: Sample) -> Any:
    """The same as vision_msgs/Classification; only where vision_msgs is installed."""
    results = [ObjectHypothesis(class_id=label.name, score=label.probability) for label in seen.labels]
    return Classification(header=sample.header, results=results)
