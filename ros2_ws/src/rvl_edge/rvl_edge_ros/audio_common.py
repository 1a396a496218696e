# SPDX-License-Identifier: Apache-2.0
"""Sound in the types of audio_common_msgs, which leave the format to a message of its own."""

from __future__ import annotations

from typing import Any

from rvl_edge_msgs.msg import AudioChunk
from std_msgs.msg import Header

from rvl_edge_ros.samples import Sense

try:
    from audio_common_msgs.msg import AudioData, AudioDataStamped, AudioInfo
except ImportError:  # an optional package of a full ROS 2
    AudioData = AudioDataStamped = AudioInfo = None

__all__ = ["AudioCommon", "AudioData", "AudioDataStamped", "AudioInfo"]


class AudioCommon:
    """Turns AudioData and AudioDataStamped into chunks; nothing is guessed before an AudioInfo came.

    Args:
        sense: takes the chunks.
    """

    def __init__(self, sense: Sense) -> None:
        self._sense = sense
        self._info: Any = None

    def describe(self, info: Any) -> None:
        """Take the format of the sound that follows."""
        self._info = info

    def receive(self, message: Any) -> None:
        """Take sound without a stamp; it is stamped with its arrival."""
        self._take(Header(), message.data)

    def receive_stamped(self, message: Any) -> None:
        """Take sound with a stamp."""
        self._take(message.header, message.audio.data)

    def _take(self, header: Header, data: Any) -> None:
        if self._info is None:
            self._sense.refuse("sound came before its AudioInfo. Fix: publish it on audio_info, latched")
        elif self._info.coding_format.lower() not in ("wave", "pcm", ""):
            self._sense.refuse(
                f"compressed sound is not read: got {self._info.coding_format}, expected wave. "
                "Fix: set the capture node's format to wave"
            )
        else:
            chunk = AudioChunk(
                header=header,
                sample_rate=self._info.sample_rate,
                channels=self._info.channels,
                sample_format=self._info.sample_format,
            )
            chunk.data = data
            self._sense.receive(chunk)
