# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest

pytest.importorskip("rvl_edge_ros.worker", reason="needs ROS 2; see docs/ros.md")

from rvl_edge_ros.worker import Worker

pytestmark = pytest.mark.ros

PATIENCE = 60.0


class Gate:
    """Work that begins when it is let in and says that it has."""

    def __init__(self, keys: str) -> None:
        self.done: list[tuple[str, int]] = []
        self.dropped: Counter[str] = Counter()
        self.begun = threading.Semaphore(0)
        self.enter = threading.Semaphore(0)
        self.worker: Worker[str, int] = Worker(keys, self._work, lambda key: self.dropped.update([key]))
        self.worker.start()

    def _work(self, key: str, item: int) -> None:
        self.begun.release()
        assert self.enter.acquire(timeout=PATIENCE)
        self.done.append((key, item))


def test_the_newest_item_is_worked_on_and_the_others_are_counted() -> None:
    gate = Gate("a")
    gate.worker.put("a", 0)
    assert gate.begun.acquire(timeout=PATIENCE)
    for item in range(1, 6):
        gate.worker.put("a", item)
    gate.enter.release(2)
    assert gate.begun.acquire(timeout=PATIENCE)
    assert gate.worker.stop(PATIENCE)
    assert gate.done == [("a", 0), ("a", 5)]
    assert gate.dropped == {"a": 4}


def test_a_flooding_key_does_not_starve_the_others() -> None:
    gate = Gate("abc")
    gate.worker.put("a", 0)
    for turn in range(1, 10):
        assert gate.begun.acquire(timeout=PATIENCE)
        gate.worker.put("a", turn)
        gate.worker.put("b", turn)
        gate.worker.put("c", turn)
        gate.enter.release()
    assert gate.begun.acquire(timeout=PATIENCE)
    gate.enter.release()
    assert gate.worker.stop(PATIENCE)
    assert Counter(key for key, _ in gate.done[:9]) == {"a": 3, "b": 3, "c": 3}


def test_stopping_ends_the_item_in_work_and_gives_up_the_waiting_ones() -> None:
    gate = Gate("ab")
    gate.worker.put("a", 1)
    assert gate.begun.acquire(timeout=PATIENCE)
    gate.worker.put("a", 2)
    gate.worker.put("b", 3)
    assert not gate.worker.stop(0.0)
    assert gate.dropped == {"a": 1, "b": 1}
    gate.enter.release()
    assert gate.worker.stop(PATIENCE)
    assert gate.done == [("a", 1)]


def test_work_that_hangs_is_seen_and_does_not_hold_up_stopping() -> None:
    gate = Gate("a")
    assert gate.worker.busy_with() is None
    gate.worker.put("a", 1)
    assert gate.begun.acquire(timeout=PATIENCE)
    first = gate.worker.busy_with()
    second = gate.worker.busy_with()
    assert first is not None
    assert second is not None
    assert first[0] == second[0] == "a"
    assert 0 <= first[1] <= second[1]
    assert not gate.worker.stop(0.01)
    gate.enter.release()


def test_what_was_worked_on_is_no_longer_in_work() -> None:
    gate = Gate("a")
    gate.worker.put("a", 1)
    assert gate.begun.acquire(timeout=PATIENCE)
    gate.enter.release()
    assert gate.worker.stop(PATIENCE)
    assert gate.done == [("a", 1)]
    assert gate.worker.busy_with() is None


def test_what_has_hung_for_longer_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate("a")
    gate.worker.put("a", 1)
    assert gate.begun.acquire(timeout=PATIENCE)
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 10 * PATIENCE)
    monkeypatch.setattr("rvl_edge_ros.worker.time", later)
    stopping = threading.Thread(target=gate.worker.stop, args=(5 * PATIENCE,))
    stopping.start()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    assert gate.done == []
    gate.enter.release()
