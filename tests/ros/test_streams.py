# SPDX-License-Identifier: Apache-2.0
"""Streams of messages, broken and sound, through all of the node but the middleware."""

from __future__ import annotations

import array
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("rvl_edge_ros.samples", reason="needs ROS 2; see docs/ros.md")

from builtin_interfaces.msg import Time
from rig import picture
from rvl_edge_msgs.msg import AudioChunk
from rvl_edge_ros import pictures, sounds
from rvl_edge_ros.model import Model
from rvl_edge_ros.params import Settings
from rvl_edge_ros.pipeline import Pipeline
from rvl_edge_ros.samples import Sample
from rvl_edge_ros.scenes import SceneReading
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from rvl_edge import Modality, Perception

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def model(tiny_bundle: Path) -> Iterator[Model]:
    opened = Model(Settings(bundle=str(tiny_bundle)))
    yield opened
    opened.perceiver.close()


stamps = st.builds(Time, sec=st.integers(0, 50), nanosec=st.sampled_from([0, 40_000_000, 999_999_999]))
headers = st.builds(Header, stamp=stamps, frame_id=st.text(max_size=5))
small = st.integers(0, 9)
loose_pictures = st.builds(
    Image,
    header=headers,
    encoding=st.sampled_from([*pictures.ENCODINGS, "nv21", ""]),
    height=small,
    width=small,
    step=st.integers(0, 40) | st.just(2**32 - 1),
    is_bigendian=st.integers(0, 1),
    data=st.binary(max_size=360).map(lambda data: array.array("B", data)),
)


@st.composite
def sound_pictures(draw: st.DrawFn) -> Image:
    """Pictures whose geometry holds; their pixels may still be NaN, infinite or all alike."""
    encoding = draw(st.sampled_from(list(pictures.ENCODINGS)))
    layout = pictures.ENCODINGS[encoding]
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    step = width * layout.channels * layout.dtype.itemsize + draw(st.integers(0, 3))
    filler = draw(st.sampled_from([b"\x00", b"\xff", b"\x7f\xc0", b"\x01\x80\x42\x0a\xfe"]))
    data = array.array("B", (filler * (height * step))[: height * step])
    big = draw(st.integers(0, 1))
    header = draw(headers)
    return Image(
        header=header, encoding=encoding, height=height, width=width, step=step, is_bigendian=big, data=data
    )


chunks = st.builds(
    AudioChunk,
    header=headers,
    sample_rate=st.sampled_from([0, 1, 999, 8000, 16000, 2**32 - 1]),
    channels=st.sampled_from([0, 1, 2, 255]),
    sample_format=st.sampled_from([*sounds.FORMATS, "mp3", ""]),
    data=st.binary(max_size=3000).map(lambda data: array.array("B", data)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    messages=st.lists(
        st.tuples(st.sampled_from(["colour", "heat", "depth"]), loose_pictures | sound_pictures() | chunks),
        min_size=20,
        max_size=40,
    )
)
def test_any_stream_is_survived_and_every_message_is_accounted_for_once(
    model: Model, messages: list[tuple[str, Image | AudioChunk]]
) -> None:
    """Thousands of messages, broken and sound, through the whole node short of the middleware."""
    published: list[Perception] = []
    failures: list[str] = []
    scenes: list[SceneReading] = []
    quick = Settings(audio_window=0.05, audio_hop=0.01, video_window=2, video_hop=1)
    pipeline = Pipeline(
        model,
        quick,
        publish=lambda seen, _: published.append(seen),
        publish_scene=scenes.append,
        warn=failures.append,
        gpu_lost=lambda _: None,
        now=lambda: 1,
    )
    senses = pipeline.senses
    for camera, message in messages:
        if isinstance(message, AudioChunk):
            senses[Modality.AUDIO].receive(message)
        elif camera == "heat":
            senses[Modality.THERMAL].receive(message)
        elif camera == "depth":
            senses[Modality.DEPTH].receive(message)
        else:
            senses[Modality.IMAGE].receive(message)
            senses[Modality.VIDEO].receive(message)
    assert pipeline.stop(60)
    # Grey all over is the zero vector to this bundle's random encoders; nothing else may fail.
    assert all("BadOutput" in failure for failure in failures)
    for modality in (Modality.IMAGE, Modality.THERMAL, Modality.DEPTH):
        counts = senses[modality].meter.read().counts
        assert counts.received == counts.published + counts.rejected + counts.dropped + counts.failed
    for seen in published:
        assert np.isfinite(seen.embedding).all()
    assert pipeline.scenes.read().failed == 0
    for scene in scenes:
        assert scene.scene is not None
        assert sum(label.probability for label in scene.scene.labels) in (0, pytest.approx(1))
    total = sum(each.meter.read().counts.published for each in senses.values())
    assert total == len(published)


def test_a_failing_encoder_is_counted_and_named_once_and_the_others_go_on(model: Model) -> None:
    published: list[Perception] = []
    warned: list[str] = []
    arrived = threading.Semaphore(0)

    def publish(seen: Perception, _: Sample) -> None:
        if seen.modality is Modality.IMAGE:
            raise RuntimeError("the encoder is gone")
        published.append(seen)
        arrived.release()

    pipeline = _warning(model, publish, warned)
    for at in range(3):
        pipeline.senses[Modality.IMAGE].receive(picture(10.0 + at))
        pipeline.senses[Modality.THERMAL].receive(picture(10.0 + at))
        assert arrived.acquire(timeout=60)
    assert pipeline.stop(60)
    assert len(published) == 3
    counts = pipeline.senses[Modality.IMAGE].meter.read().counts
    assert counts.failed + counts.dropped == 3
    assert counts.failed >= 1
    assert warned == ["image: RuntimeError: the encoder is gone"]


def _warning(model: Model, publish: Callable[[Perception, Sample], None], warned: list[str]) -> Pipeline:
    return Pipeline(
        model,
        Settings(),
        publish=publish,
        publish_scene=lambda _: None,
        warn=warned.append,
        gpu_lost=lambda _: None,
        now=lambda: 1,
    )


def test_two_failing_encoders_are_named_once_each_and_again_after_a_result(model: Model) -> None:
    warned: list[str] = []
    tried = threading.Semaphore(0)
    failing = [True]

    def publish(seen: Perception, _: Sample) -> None:
        tried.release()
        if failing[0]:
            raise RuntimeError("gone")

    pipeline = _warning(model, publish, warned)
    for at, failing[0] in enumerate((True, True, False, True)):
        for each in (Modality.IMAGE, Modality.THERMAL):
            pipeline.senses[each].receive(picture(10.0 + at))
            assert tried.acquire(timeout=60)
    assert pipeline.stop(60)
    assert warned == 2 * ["image: RuntimeError: gone", "thermal: RuntimeError: gone"]
