# SPDX-License-Identifier: Apache-2.0
"""A node under test and a robot program beside it, spun together on one thread."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def ros_context() -> Iterator[None]:
    """rclpy, on a domain that no other run of the tests shares."""
    import rclpy
    from rvl_edge_ros.running import choose_transport

    choose_transport()
    rclpy.init(args=[], domain_id=1 + os.getpid() % 100)
    yield
    rclpy.try_shutdown()


@pytest.fixture(scope="session")
def acts() -> dict[str, list[Any]]:
    """Eight pictures of each act of the camera that is tampered with, before the embedded bundle."""
    from rvl_edge_ros.spoof import ACT_SECONDS, ACTS, act_of, tampered

    shots = itertools.islice(tampered(rate=8 / ACT_SECONDS), 8 * len(ACTS))
    return {act: list(group) for act, group in itertools.groupby(shots, lambda shot: act_of(shot.name))}


@pytest.fixture
def make_rig(ros_context: None, tiny_bundle: Path) -> Iterator[Callable[..., Any]]:
    """Starts rigs on the random bundle, and takes them down."""
    from rig import Rig

    rigs: list[Rig] = []

    def make(**parameters: Any) -> Rig:
        rigs.append(Rig({"bundle": str(tiny_bundle), **parameters}))
        return rigs[-1]

    yield make
    for each in rigs:
        each.close()
