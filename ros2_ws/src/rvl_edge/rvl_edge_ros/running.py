# SPDX-License-Identifier: Apache-2.0
"""Running a node as a process: transport, signals, and an end without a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from rvl_edge import RvlEdgeError

_CHOSEN_BY_USER = (
    "FASTDDS_BUILTIN_TRANSPORTS",
    "FASTDDS_DEFAULT_PROFILES_FILE",
    "FASTRTPS_DEFAULT_PROFILES_FILE",
)


class Runnable(Protocol):
    """What a node adds to be run as a process."""

    def begin(self) -> None:
        """Called once before spinning."""

    def close(self) -> None:
        """Called once at the end: stop threads, free what was loaded."""


def choose_transport() -> None:
    """Have Fast DDS carry camera frames, unless the user chose a transport.

    With its default one, whose shared-memory segment is smaller than a frame, best-effort pictures are lost.
    """
    if not any(name in os.environ for name in _CHOSEN_BY_USER):
        os.environ["FASTDDS_BUILTIN_TRANSPORTS"] = "LARGE_DATA"


def run(make_node: Callable[[], Any], args: Sequence[str] | None) -> int:
    """Spin one node until SIGINT or SIGTERM.

    Args:
        make_node: creates it; a rclpy Node that is `Runnable` too.
        args: command line, None for the process's.

    Returns:
        The exit code: 0 after a signal, 2 where the parameters make no sense.
    """
    choose_transport()
    rclpy.init(args=args)
    node = None
    try:
        node = make_node()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        node.begin()
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (RvlEdgeError, ParameterException) as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut the clean-up short
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
