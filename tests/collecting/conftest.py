# SPDX-License-Identifier: Apache-2.0
"""A bag written without ROS, as a robot's recorder leaves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from bag_messages import START

CHUNK = """std_msgs/Header header
uint32 sample_rate
uint8 channels
string sample_format
uint8[] data
"""
AUDIO_COMMON = {
    "AudioData": "uint8[] data\n",
    "AudioDataStamped": "std_msgs/Header header\naudio_common_msgs/AudioData audio\n",
    "AudioInfo": "uint8 channels\nuint32 sample_rate\nstring sample_format\n"
    "uint32 bitrate\nstring coding_format\n",
}


@pytest.fixture(scope="session")
def rosbags() -> ModuleType:
    return pytest.importorskip("rosbags.rosbag2", reason="needs the extra `bags`")


Events = Sequence[tuple[str, str, int, dict[str, Any]]]


@pytest.fixture
def write_bag(rosbags: ModuleType, tmp_path: Path) -> Callable[[str, Events, str], Path]:
    """Write (topic, type, milliseconds, fields) as a recording of one storage; headers have these stamps."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    types = get_typestore(Stores.ROS2_JAZZY)
    types.register(get_types_from_msg(CHUNK, "rvl_edge_msgs/msg/AudioChunk"))
    for name, text in AUDIO_COMMON.items():
        types.register(get_types_from_msg(text, f"audio_common_msgs/msg/{name}"))
    audio = types.types["audio_common_msgs/msg/AudioData"]
    time, header = types.types["builtin_interfaces/msg/Time"], types.types["std_msgs/msg/Header"]

    def write(name: str, events: Events, storage: str = "MCAP") -> Path:
        path = tmp_path / name
        with rosbags.Writer(path, version=9, storage_plugin=rosbags.StoragePlugin[storage]) as writer:
            known = {
                topic: writer.add_connection(topic, kind, typestore=types)
                for topic, kind in dict.fromkeys((topic, kind) for topic, kind, _, _ in events)
            }
            for topic, kind, at, fields in events:
                stamp = START + at * 1_000_000
                seconds, rest = divmod(stamp, 1_000_000_000)
                own = header(stamp=time(sec=seconds, nanosec=rest), frame_id="robot")
                if kind.endswith("AudioDataStamped"):
                    message = types.types[kind](header=own, audio=audio(**fields))
                elif kind.startswith("audio_common_msgs"):
                    message = types.types[kind](**fields)
                else:
                    message = types.types[kind](**{"header": own, **fields})
                writer.write(known[topic], stamp, types.serialize_cdr(message, kind))
        return path

    return write
