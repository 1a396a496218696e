# SPDX-License-Identifier: Apache-2.0
"""What the node adds to the encoder: 640x480 rgb8 at 30 Hz from another process, from message to publication.

    .venv/bin/python benchmarks/node_overhead.py --seconds 10

`overhead` is the time from the node's receiving a picture to its having published embedding and labels, less
the encoder's own. `age` runs from the stamp to the results' arrival back at the sender and so includes
both transports and serialisation.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from rich.console import Console
from rich.table import Table
from rvl_edge_msgs.msg import Labels, SensorHealth
from rvl_edge_ros import pictures
from rvl_edge_ros.running import choose_transport
from sensor_msgs.msg import Image

RATE = 30.0


class Camera:
    """Sends pictures and listens to what comes of them."""

    def __init__(self, namespace: str) -> None:
        self.node = rclpy.create_node("camera", namespace=namespace)
        self.ages: list[float] = []
        self.steps: list[tuple[float, float, float]] = []
        self.health: SensorHealth | None = None
        self._message = Image()
        self._pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
        self._sent = 0
        self.sender = self.node.create_publisher(Image, "image", qos_profile_sensor_data)
        self.node.create_subscription(Labels, "image/labels", self._on_labels, 10)
        self.node.create_subscription(SensorHealth, "image/health", self._on_health, 10)

    def send(self) -> None:
        self._sent += 1
        moved = np.roll(self._pixels, self._sent, axis=1)  # the same again would be a stuck camera
        pictures.fill(self._message, moved)
        self._message.header.stamp = self.node.get_clock().now().to_msg()
        self.sender.publish(self._message)

    def _on_labels(self, message: Labels) -> None:
        sent = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        self.ages.append((self.node.get_clock().now().nanoseconds - sent) / 1e6)
        self.steps.append((message.preprocess_ms, message.encode_ms, message.judge_ms))

    def _on_health(self, message: SensorHealth) -> None:
        self.health = message


def measure(namespace: str, seconds: float) -> Camera:
    rclpy.init(args=[])
    camera = Camera(namespace)
    executor = SingleThreadedExecutor()
    executor.add_node(camera.node)
    while camera.sender.get_subscription_count() == 0 or camera.health is None:
        executor.spin_once(timeout_sec=0.1)
    due = time.monotonic()
    end = due + seconds
    while due < end:
        camera.send()
        due += 1 / RATE
        while (left := due - time.monotonic()) > 0:
            executor.spin_once(timeout_sec=left)
    camera.health = None
    while camera.health is None:
        executor.spin_once(timeout_sec=0.1)
    return camera


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--bundle", default="", help="default: the one inside the SDK")
    options = parser.parse_args()
    choose_transport()
    namespace = f"/overhead_{os.getpid()}"
    parameters = {"bundle": options.bundle or '""', "modalities": "[image]", "autostart": "true"}
    assignments = [text for name, value in parameters.items() for text in ("-p", f"{name}:={value}")]
    command = [sys.executable, "-m", "rvl_edge_ros.perception_node", "--ros-args", "-r", f"__ns:={namespace}"]
    with subprocess.Popen([*command, *assignments]) as node:
        try:
            camera = measure(namespace, options.seconds)
        finally:
            node.terminate()
    rclpy.try_shutdown()
    health = camera.health
    (preprocess, encode, judge), tails = np.percentile(camera.steps, (50, 99), axis=0)
    table = Table("640x480 rgb8 at 30 Hz", "p50 ms", "p99 ms")
    table.add_row("message to publication, whole", f"{health.total_p50_ms:.2f}", f"{health.total_p99_ms:.2f}")
    table.add_row("  encoder", f"{encode:.2f}", f"{health.encode_p99_ms:.2f}")
    table.add_row("  preprocessing", f"{preprocess:.2f}", f"{health.preprocess_p99_ms:.2f}")
    table.add_row("  monitors", f"{judge:.2f}", f"{tails[2]:.2f}")
    table.add_row("overhead: whole less encoder", f"{health.total_p50_ms - encode:.2f}", "")
    ages = [f"{age:.2f}" for age in np.percentile(camera.ages, (50, 99))]
    table.add_row("age: sender's stamp to labels back there", *ages)
    Console().print(table)
    sent = round(options.seconds * RATE)
    print(f"{sent=} received={health.received} published={health.published} dropped={health.dropped}")


if __name__ == "__main__":
    main()
