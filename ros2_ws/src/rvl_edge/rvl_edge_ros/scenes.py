# SPDX-License-Identifier: Apache-2.0
"""What all senses say together, worked out beside the inference: a failure here costs no result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rvl_edge import Bundle, Fusion, Modality, Perception, Scene
from rvl_edge_ros.params import Settings
from rvl_edge_ros.samples import CLOCK_JUMP, Sample
from rvl_edge_ros.windows import NANOSECONDS
from rvl_edge_ros.worker import Worker


@dataclass(frozen=True)
class Seen:
    """A result and the sample it is of."""

    perception: Perception
    sample: Sample


@dataclass(frozen=True)
class SceneReading:
    """Scenes so far.

    Attributes:
        scene: the newest.
        stamp: nanoseconds, of the sample that arrived last, by which the others' ages are told.
        newest: each sense's newest result.
        silence: seconds since the newest scene went out; NaN before the first.
        published: how many did.
        failed: how many results made the fusion fail; `failing` while the newest did.
        last_error: the newest reason for that.
    """

    scene: Scene | None = None
    stamp: int = 0
    newest: dict[Modality, Seen] = field(default_factory=dict)
    silence: float = float("nan")
    published: int = 0
    failed: int = 0
    failing: bool = False
    last_error: str = ""

    def age(self, modality: Modality) -> float:
        """Seconds from a sense's newest sample to the scene's stamp; NaN where it has no result yet.

        Below 0 where what arrived later was taken earlier, or where stamps are of different clocks.
        """
        seen = self.newest.get(modality)
        return float("nan") if seen is None else (self.stamp - seen.sample.end) / NANOSECONDS


class Scenes:
    """Fuses each sense's newest result, on a thread of its own.

    Time is told by the samples' stamps alone, so that recordings fuse as they did when they were made: it is
    the stamp of the sample that arrived last. (Not the latest stamp, which a clock that starts over leaves
    far ahead.) When a clock starts over, what was heard before is forgotten: the new time would come to the
    old stamps, and a sense that died would count again.

    Args:
        bundle: whose label sets say which labels mean the same.
        settings: how old a sense's result may be.
        publish: takes each scene; runs on this thread.
        warn: takes each failure, once for every kind in a row.
    """

    def __init__(
        self,
        bundle: Bundle,
        settings: Settings,
        *,
        publish: Callable[[SceneReading], None],
        warn: Callable[[str], object],
    ) -> None:
        self._bundle = bundle
        self._publish = publish
        self._warn = warn
        self._reading = SceneReading()
        self._latest = float("-inf")
        self._went_out = float("nan")
        self._lock = threading.Lock()
        self._max_age: dict[Modality, float] = {}
        self.apply(settings)
        self._worker: Worker[Modality, Seen] = Worker(Modality, self._fuse, lambda _: None, name="scene")
        self._worker.start()

    def apply(self, settings: Settings) -> None:
        """Use other ages from the next result on; conflicts between senses are then watched for anew."""
        max_age = settings.max_age
        if max_age != self._max_age:
            fusion = Fusion.of(self._bundle, max_age=max_age)
            with self._lock:
                self._max_age, self._fusion = max_age, fusion

    def put(self, perception: Perception, sample: Sample) -> None:
        """Take a result; from any thread, and never for long."""
        self._worker.put(perception.modality, Seen(perception, sample))

    def read(self) -> SceneReading:
        """Everything at this moment."""
        return replace(self._reading, silence=time.monotonic() - self._went_out)

    def stop(self, timeout: float) -> bool:
        """As `Worker.stop`."""
        return self._worker.stop(timeout)

    def _fuse(self, modality: Modality, seen: Seen) -> None:
        before = self._reading
        try:
            reading = self._with(before, modality, seen)
            self._publish(reading)
        except Exception as error:  # whatever it is, the senses go on and the next result is tried
            text = f"scene: {type(error).__name__}: {error}"
            if text != before.last_error or not before.failing:
                self._warn(text)
            self._reading = replace(before, failed=before.failed + 1, failing=True, last_error=text)
        else:
            self._went_out = time.monotonic()
            self._reading = replace(reading, published=before.published + 1, failing=False)

    def _with(self, before: SceneReading, modality: Modality, seen: Seen) -> SceneReading:
        stamp, newest = before.stamp, before.newest
        started_over = False
        if seen.sample.arrived >= self._latest:
            # By the sense's own stamps: another sense's may lie seconds before or after them for good.
            last = newest.get(modality, seen).sample.end
            started_over = seen.sample.end <= last - CLOCK_JUMP
            self._latest, stamp = seen.sample.arrived, seen.sample.end
        with self._lock:
            if started_over:
                newest = {}
                self._fusion = Fusion.of(self._bundle, max_age=self._max_age)
            self._fusion.update(seen.perception, seen.sample.end / NANOSECONDS)
            scene = self._fusion.scene(stamp / NANOSECONDS)
        return replace(before, scene=scene, stamp=stamp, newest={**newest, modality: seen})
