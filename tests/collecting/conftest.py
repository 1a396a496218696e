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


@pytest.fixture(scope="session")
def rosbags() -> ModuleType:
    return pytest.importorskip("rosbags.rosbag2", reason="needs the extra `bags`")


Events = Sequence[tuple[str, str, int, dict[str, Any]]]


@pytest.fixture
def write_bag(rosbags: ModuleType, tmp_path: Path) -> Callable[[str, Events, str], Path]:
    """Write (topic, type, milliseconds, fields) as a recording of one storage."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    types = get_typestore(Stores.ROS2_JAZZY)
    types.register(get_types_from_msg(CHUNK, "rvl_edge_msgs/msg/AudioChunk"))
    stamp = types.types["builtin_interfaces/msg/Time"](sec=0, nanosec=0)
    header = types.types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")

    def write(name: str, events: Events, storage: str = "MCAP") -> Path:
        path = tmp_path / name
        with rosbags.Writer(path, version=9, storage_plugin=rosbags.StoragePlugin[storage]) as writer:
            known = {
                topic: writer.add_connection(topic, kind, typestore=types)
                for topic, kind in dict.fromkeys((topic, kind) for topic, kind, _, _ in events)
            }
            for topic, kind, at, fields in events:
                message = types.types[kind](header=header, **fields)
                writer.write(known[topic], START + at * 1_000_000, types.serialize_cdr(message, kind))
        return path

    return write
