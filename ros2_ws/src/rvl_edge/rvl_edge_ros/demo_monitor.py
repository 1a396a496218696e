# SPDX-License-Identifier: Apache-2.0
"""Listens to a perception node the way a robot's own program would."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rvl_edge_msgs.msg import Labels, SceneLabels, SensorHealth

from rvl_edge import Modality
from rvl_edge_ros.demo_acts import Acts
from rvl_edge_ros.demo_material import SENSES
from rvl_edge_ros.demo_summary import SceneSummary, SenseSummary, Summary


class Monitor:
    """Keeps the newest health and labels of every sense, and the newest scene.

    Args:
        namespace: the node's.
    """

    def __init__(self, namespace: str) -> None:
        self._health: dict[Modality, SensorHealth] = {}
        self._labels: dict[Modality, Labels] = {}
        self._tops: dict[Modality, Counter[str]] = {each: Counter() for each in SENSES}
        self._scene: SceneLabels | None = None
        self._scenes: Counter[str] = Counter()
        self._acts = Acts()
        self._node = rclpy.create_node("monitor", namespace=namespace)
        for each in SENSES:
            self._node.create_subscription(Labels, f"{each}/labels", self._on_labels(each), 10)
            self._node.create_subscription(SensorHealth, f"{each}/health", self._on_health(each), 10)
        self._node.create_subscription(SceneLabels, "scene/labels", self._on_scene, 10)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def spin(self, seconds: float) -> None:
        """Listen for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def summary(self, died: Sequence[str] = ()) -> Summary:
        """What came so far; `died` names processes that ended by themselves."""
        return Summary(
            senses=tuple(self._sense(each) for each in SENSES),
            scene=SceneSummary.of(self._scene, self._scenes),
            acts=self._acts.summary(),
            died=tuple(died),
        )

    def destroy(self) -> None:
        """Stop listening."""
        self._executor.shutdown()
        self._node.destroy_node()

    def _on_labels(self, modality: Modality) -> Callable[[Labels], None]:
        def receive(message: Labels) -> None:
            self._labels[modality] = message
            self._tops[modality][message.decision] += 1
            if modality is Modality.IMAGE:
                self._acts.see(message)

        return receive

    def _on_scene(self, message: SceneLabels) -> None:
        self._scene = message
        self._scenes[message.decision] += 1
        self._acts.see_scene(message.decision)

    def _on_health(self, modality: Modality) -> Callable[[SensorHealth], None]:
        def receive(message: SensorHealth) -> None:
            self._health[modality] = message

        return receive

    def _sense(self, modality: Modality) -> SenseSummary:
        health, labels = self._health.get(modality), self._labels.get(modality)
        common = self._tops[modality].most_common(1)
        return SenseSummary.of(modality, health, labels, common[0] if common else ("", 0))
