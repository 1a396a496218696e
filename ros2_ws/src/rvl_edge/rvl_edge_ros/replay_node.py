# SPDX-License-Identifier: Apache-2.0
"""The replay node: publishes what a sensor would, from files, a camera or the demo's material."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rvl_edge_msgs.msg import AudioChunk
from sensor_msgs.msg import Image

from rvl_edge import RvlEdgeError
from rvl_edge_ros import pictures, sounds, sources
from rvl_edge_ros.demo_material import Shot
from rvl_edge_ros.qos import overridable
from rvl_edge_ros.results import time_message
from rvl_edge_ros.running import run
from rvl_edge_ros.windows import NANOSECONDS

_DRIFT = NANOSECONDS // 2  # by which the stamps of sound may lie off the clock


class ReplayNode(Node):
    """Publishes `image`, `thermal`, `depth` and `audio` as best-effort sensor data, at fixed rates.

    The header's `frame_id` says what is shown. A stream whose source comes to its end, or fails, falls
    silent; the others go on.

    Raises:
        RvlEdgeError: a source that cannot be opened.
    """

    def __init__(self, name: str = "replay", **options: Any) -> None:
        super().__init__(name, **options)
        loop = self._declared("loop", True, "begin files anew at their end")
        rate = self._rate("image.rate", 15.0)
        if source := self._source("image", "demo, spoof, a picture, a video, a folder of those, or device:N"):
            self._play_pictures("image", sources.pictures(source, rate, loop=loop), rate)
        rate = self._rate("thermal.rate", 9.0)
        if source := self._source("thermal", "demo, spoof, a picture, an .npy stack, or a folder of those"):
            self._play_pictures("thermal", sources.thermal(source, rate, loop=loop), rate)
        rate = self._rate("depth.rate", 15.0)
        if source := self._source("depth", "a 16-bit picture, an .npy stack, or a folder of those"):
            self._play_pictures("depth", sources.depth(source, loop=loop), rate)
        rate = self._rate("audio.rate", 10.0)
        if source := self._source("audio", "demo, or a sound file"):
            self._play_sound(*sources.sound(source, 1 / rate, loop=loop))

    def begin(self) -> None:
        """Nothing to do: the timers run from the start."""

    def close(self) -> bool:
        """Nothing to put in order."""
        return True

    def _declared(self, name: str, default: Any, description: str, **limits: Any) -> Any:
        descriptor = ParameterDescriptor(description=description, read_only=True, **limits)
        return self.declare_parameter(name, default, descriptor).value

    def _source(self, sense: str, choices: str) -> str:
        source = self._declared(f"{sense}.source", "", f"what to replay: {choices}; none or empty: nothing")
        return "" if source == "none" else str(source)  # launch cannot pass an empty argument

    def _rate(self, name: str, default: float) -> float:
        limits = [FloatingPointRange(from_value=0.1, to_value=1000.0)]
        return float(self._declared(name, default, "messages a second", floating_point_range=limits))

    def _play_pictures(self, topic: str, shots: Iterator[Shot], rate: float) -> None:
        message = Image()
        publisher = self._publisher(Image, topic)

        def step(shot: Shot) -> None:
            pictures.fill(message, shot.pixels)
            message.header.frame_id = shot.name
            message.header.stamp = self.get_clock().now().to_msg()
            publisher.publish(message)

        self._play(topic, shots, rate, step)

    def _play_sound(self, sample_rate: int, size: int, chunks: Iterator[Shot]) -> None:
        message = AudioChunk()
        publisher = self._publisher(AudioChunk, "audio")
        stamp = self.get_clock().now().nanoseconds

        def step(shot: Shot) -> None:
            nonlocal stamp  # counted on from the samples, as a sound card does: chunks join without a gap
            length = len(shot.pixels) * NANOSECONDS // sample_rate
            behind = self.get_clock().now().nanoseconds - (stamp + length)
            if abs(behind) > _DRIFT:  # held up for a while, or /clock jumped: as many chunks are missing
                stamp += behind // length * length
            sounds.fill(message, shot.pixels, sample_rate)
            message.header.frame_id = shot.name
            message.header.stamp = time_message(stamp)
            publisher.publish(message)
            stamp += length

        self._play("audio", chunks, sample_rate / size, step)  # so the stamps keep pace with the clock

    def _play(self, topic: str, shots: Iterator[Shot], rate: float, step: Callable[[Shot], None]) -> None:
        def tick() -> None:
            try:
                step(next(shots))
            except StopIteration:
                self.get_logger().info(f"{topic}: end of the source")
                timer.cancel()
            except RvlEdgeError as error:
                self.get_logger().error(f"{topic}: {error}")
                timer.cancel()

        timer = self.create_timer(1 / rate, tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _publisher(self, kind: Any, topic: str) -> Any:
        return overridable(self.create_publisher, kind, topic, qos=qos_profile_sensor_data)


def main(args: list[str] | None = None) -> int:
    """Entry point of `replay_node`."""
    return run(ReplayNode, args)


if __name__ == "__main__":
    sys.exit(main())
