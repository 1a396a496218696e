# SPDX-License-Identifier: Apache-2.0
"""A perception node and a helper node on one executor: everything happens inside `until`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from rvl_edge_msgs.msg import AudioChunk
from rvl_edge_ros import pictures, sounds
from rvl_edge_ros.perception_node import PerceptionNode
from rvl_edge_ros.results import time_message
from sensor_msgs.msg import Image

PATIENCE = 120.0  # seconds; only a fault or a very busy machine comes near it


def picture(stamp: float, size: int = 8) -> Image:
    """A black one, stamped in seconds."""
    message = Image()
    pictures.fill(message, np.zeros((size, size, 3), np.uint8))
    message.header.stamp = Time(sec=int(stamp), nanosec=round(stamp % 1 * 1e9))
    return message


class Rig:
    """The node under test with parameters set, and what is needed to talk to it."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        overrides = [Parameter(name.replace("__", "."), value=value) for name, value in parameters.items()]
        self.node = PerceptionNode(parameter_overrides=overrides)
        self.helper = rclpy.create_node("helper")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._executor.add_node(self.helper)
        self._publishers: dict[str, Any] = {}
        self._diagnostics: list[DiagnosticArray] = self.listen(DiagnosticArray, "/diagnostics")
        self._stamp = self.helper.get_clock().now().nanoseconds

    @property
    def state(self) -> str:
        return self.node._state_machine.current_state[1]

    def until(self, condition: Callable[[], Any], what: str = "the condition") -> Any:
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < end, f"waited {PATIENCE} s in vain for {what}"
            self._executor.spin_once(timeout_sec=0.05)
        return found

    def until_received(self, sense: str, count: int) -> None:
        meter = self.node._pipeline.senses[sense].meter
        self.until(lambda: meter.read().counts.received >= count, f"message {count} of {sense}")

    def until_heard(self, heard: list[Any], count: int = 1) -> None:
        self.until(lambda: len(heard) >= count, f"result {count}")

    def listen(self, kind: Any, topic: str) -> list[Any]:
        heard: list[Any] = []
        self.helper.create_subscription(kind, topic, heard.append, 50)
        return heard

    def publish(self, topic: str, message: Any) -> None:
        if topic not in self._publishers:
            publisher = self.helper.create_publisher(type(message), topic, qos_profile_sensor_data)
            self._publishers[topic] = publisher
        self.until(lambda: self._publishers[topic].get_subscription_count() > 0, f"a subscriber of {topic}")
        self._publishers[topic].publish(message)

    def call(self, kind: Any, name: str, request: Any) -> Any:
        client = self.helper.create_client(kind, name)
        self.until(client.service_is_ready, name)
        future = client.call_async(request)
        return self.until(lambda: future.done() and future.result(), f"an answer of {name}")

    def status(self, sense: str) -> DiagnosticStatus:
        """The next report on a sense, or on the `node`."""
        self._diagnostics.clear()

        def found() -> DiagnosticStatus | None:
            rows = [row for array in self._diagnostics for row in array.status]
            return next((row for row in rows if row.name == f"perception: {sense}"), None)

        return self.until(found, f"a report on {sense}")

    def values(self, sense: str) -> dict[str, str]:
        return {pair.key: pair.value for pair in self.status(sense).values}

    def picture(self, seed: int = 0, size: tuple[int, int] = (48, 64)) -> Image:
        """A random rgb8 picture, stamped 40 ms after the last message."""
        message = Image()
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        pictures.fill(message, pixels)
        return self.stamped(message, 40_000_000)

    def heat(self, seed: int = 0) -> Image:
        message = Image()
        pixels = np.random.default_rng(seed).integers(28000, 31000, (48, 64), dtype=np.uint16)
        pictures.fill(message, pixels)
        return self.stamped(message, 40_000_000)

    def distances(self, pixels: np.ndarray) -> Image:
        """A depth picture, stamped 40 ms after the last message."""
        message = Image()
        pictures.fill(message, pixels)
        return self.stamped(message, 40_000_000)

    def sound(self, seconds: float, seed: int = 0, rate: int = 16000) -> AudioChunk:
        message = AudioChunk()
        pcm = np.random.default_rng(seed).uniform(-0.5, 0.5, (round(seconds * rate), 1)).astype(np.float32)
        sounds.fill(message, pcm, rate)
        self.stamped(message, 0)
        self._stamp += round(seconds * 1e9)
        return message

    def close(self) -> None:
        self._executor.shutdown()
        self.node.close()
        self.node.destroy_node()
        self.helper.destroy_node()

    def stamped(self, message: Any, later: int = 40_000_000) -> Any:
        self._stamp += later
        message.header.stamp = time_message(self._stamp)
        message.header.frame_id = f"frame {self._stamp}"
        return message
