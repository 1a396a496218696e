# SPDX-License-Identifier: Apache-2.0
"""Running a node as a process: transport, signals, and an end without a traceback."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions, install_signal_handlers

from rvl_edge import ConfigError, RvlEdgeError

TRANSPORT_PROFILE = Path(__file__).with_name("fastdds.xml")
SEGMENT_SIZE = 12_582_912  # bytes of shared memory a node allocates, as the profile says
_SHARED_MEMORY = Path("/dev/shm")
HUNG = 70  # exit code where an inference hung or the GPU was lost; EX_SOFTWARE of sysexits.h
_ENDING = (signal.SIGINT, signal.SIGTERM)
_FAST_DDS_2 = ("humble", "iron", "jazzy")
_BY_USER = ("FASTDDS_BUILTIN_TRANSPORTS", "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")


class Hung(Exception):
    """Something in the process does not come back, and only its end and another start help."""


class Runnable(Protocol):
    """What a node adds to be run as a process."""

    def begin(self) -> None:
        """Called once before spinning."""

    def close(self) -> bool:
        """Called once at the end: stop threads, free what was loaded; False if something hangs."""


def choose_transport() -> None:
    """Have Fast DDS carry camera frames, unless the user chose a transport.

    Its default shared memory is smaller than a picture, and best-effort pictures larger than it are lost. The
    profile enlarges it and changes nothing else, so that nodes and tools without it are still seen and heard;
    with FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA they are not. It warns where there is no room for that memory.
    """
    if not any(name in os.environ for name in _BY_USER):
        family = "FASTRTPS" if os.environ.get("ROS_DISTRO") in _FAST_DDS_2 else "FASTDDS"
        os.environ[f"{family}_DEFAULT_PROFILES_FILE"] = str(TRANSPORT_PROFILE)
        if _SHARED_MEMORY.is_dir() and (lack := why_no_room(shutil.disk_usage(_SHARED_MEMORY).free)):
            get_logger("rvl_edge").warning(lack)


def why_no_room(free: int) -> str:
    """What `free` bytes of shared memory mean for pictures; empty where they are enough."""
    if free >= SEGMENT_SIZE:
        return ""
    return (
        f"{_SHARED_MEMORY} has {free / 1e6:.0f} MB free, a node takes {SEGMENT_SIZE / 1e6:.0f}: pictures may "
        "be lost. Fix: run `fastdds shm clean` for what killed processes left, or give the container more "
        "with --shm-size or --ipc=host"
    )


def run(make_node: Callable[[], Any], args: list[str] | None) -> int:
    """Spin one node until SIGINT or SIGTERM.

    Args:
        make_node: creates it; a rclpy Node that is `Runnable` too.
        args: command line, None for the process's.

    Returns:
        The exit code: 0 after a signal, 2 where arguments or parameters make no sense, `HUNG` where the node
        raised `Hung`. With something still hanging it does not return: it ends the process with `HUNG`.
    """
    choose_transport()
    early: list[int] = []
    for number in _ENDING:  # rclpy's own handlers would pull ROS away from under a node that is being made
        signal.signal(number, lambda caught, _: early.append(caught))
    node = None
    try:
        _init(args)
        node = make_node()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        node.begin()
        install_signal_handlers(SignalHandlerOptions.ALL)
        if not early:
            executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Hung:
        return HUNG
    except (RvlEdgeError, ParameterException) as error:
        print(error, file=sys.stderr)
        return 2
    except Exception:
        if rclpy.ok():  # else a signal took ROS away from under a callback that was publishing
            raise
    finally:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut the clean-up short
        finished = True
        if node is not None:
            finished = node.close()
            node.destroy_node()
        rclpy.try_shutdown()
        if not finished:  # the interpreter's own end would wait for it, or crash under it
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(HUNG)
    return 0


def _init(args: list[str] | None) -> None:
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # what all its errors are; it has no public names for them
        raise ConfigError(
            "ROS cannot be started with these arguments",
            got=error,
            fix="correct what follows --ros-args; a parameter file has to be there",
        ) from error
