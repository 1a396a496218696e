# SPDX-License-Identifier: Apache-2.0
"""Sound in the types of audio_common_msgs, which leave the format to a message of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rvl_edge.errors import ConfigError

TYPES = ("audio_common_msgs/msg/AudioData", "audio_common_msgs/msg/AudioDataStamped")
_INFO = "audio_common_msgs/msg/AudioInfo"
_UNSTAMPED = SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0))


@dataclass(frozen=True)
class SoundFormat:
    """What an AudioInfo says of the sound on another topic."""

    sample_rate: int
    channels: int
    sample_format: str
    coding_format: str

    def chunk(self, message: Any) -> Any:
        """An AudioData or AudioDataStamped with the fields of rvl_edge_msgs/AudioChunk."""
        return SimpleNamespace(
            header=getattr(message, "header", _UNSTAMPED),
            sample_rate=self.sample_rate,
            channels=self.channels,
            sample_format=self.sample_format,
            data=(message.audio if hasattr(message, "audio") else message).data,
        )


def read_format(reader: Any, path: Path) -> SoundFormat:
    """The format of a recording's sound.

    Args:
        reader: an opened `rosbags.highlevel.AnyReader`.
        path: of the recording, for errors.

    Raises:
        ConfigError: no AudioInfo was recorded, several disagree, or the sound is compressed.
    """
    connections = [each for each in reader.connections if each.msgtype == _INFO]
    messages = reader.messages(connections) if connections else ()  # none would be all
    infos = [reader.deserialize(raw, _INFO) for _, _, raw in messages]
    found = {
        SoundFormat(each.sample_rate, each.channels, each.sample_format, each.coding_format) for each in infos
    }
    if len(found) != 1:
        raise ConfigError(
            f"the format of the sound in {path} is not known",
            got=", ".join(map(str, found)) or "no AudioInfo",
            expected="one AudioInfo, or several that say the same",
            fix="record the topic audio_info too",
        )
    (sound,) = found
    if sound.coding_format.lower() not in ("wave", "pcm", ""):
        raise ConfigError(
            "compressed sound is not read",
            got=sound.coding_format,
            expected="wave",
            fix="set the capture node's format to wave",
        )
    return sound
