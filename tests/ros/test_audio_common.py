# SPDX-License-Identifier: Apache-2.0
"""Sound in audio_common_msgs' types, which are no wheels: objects with their fields stand in for them."""

from __future__ import annotations

import array
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rvl_edge_ros.audio_common", reason="needs ROS 2; see docs/ros.md")

from rvl_edge_ros.audio_common import AudioCommon
from rvl_edge_ros.meter import Counts
from rvl_edge_ros.params import Settings
from rvl_edge_ros.samples import Sample
from rvl_edge_ros.senses import make_sense
from std_msgs.msg import Header

from rvl_edge import Modality

pytestmark = pytest.mark.ros

PCM = array.array("B", np.arange(8000, dtype="<i2").tobytes())
INFO = SimpleNamespace(channels=1, sample_rate=16000, sample_format="S16LE", bitrate=0, coding_format="wave")


def test_sound_is_taken_once_its_format_is_known() -> None:
    samples: list[Sample] = []
    sense = make_sense(
        Modality.AUDIO,
        lambda _, sample: samples.append(sample),
        lambda: 7,
        Settings(audio_window=0.5, audio_hop=0.5),
    )
    common = AudioCommon(sense)
    common.receive_stamped(SimpleNamespace(header=Header(), audio=SimpleNamespace(data=PCM)))
    reading = sense.meter.read()
    assert reading.counts == Counts(received=1, rejected=1)
    assert "AudioInfo" in reading.last_error

    common.describe(INFO)
    header = Header(frame_id="microphone")
    header.stamp.sec = 5
    common.receive_stamped(SimpleNamespace(header=header, audio=SimpleNamespace(data=PCM)))
    assert sense.meter.read().counts.rejected == 1
    (sample,) = samples
    assert sample.header == header
    assert (sample.start, sample.end) == (5_000_000_000, 5_500_000_000)
    heard = SimpleNamespace(audio=lambda pcm, sample_rate: (pcm, sample_rate))
    pcm, rate = sample.perceive(heard)
    np.testing.assert_array_equal(pcm[:, 0], np.arange(8000))
    assert rate == 16000


def test_compressed_sound_is_refused() -> None:
    sense = make_sense(Modality.AUDIO, lambda *_: None, lambda: 7, Settings())
    common = AudioCommon(sense)
    common.describe(SimpleNamespace(**{**vars(INFO), "coding_format": "mp3"}))
    common.receive(SimpleNamespace(data=PCM))
    assert "mp3" in sense.meter.read().last_error
