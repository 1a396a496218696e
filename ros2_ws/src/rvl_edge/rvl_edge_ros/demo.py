# SPDX-License-Identifier: Apache-2.0
"""The demo: a perception node and a replay as processes of their own, what they do live in the terminal.

This process subscribes to what the node publishes, as any robot program would, shows a row a sense, and sums
up at the end. A namespace of its own keeps it apart from other robots.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import rclpy
from rclpy.signals import SignalHandlerOptions
from rich.console import Console
from rich.live import Live

from rvl_edge_ros.demo_acts import acts_table
from rvl_edge_ros.demo_monitor import Monitor
from rvl_edge_ros.demo_summary import Summary, table
from rvl_edge_ros.processes import Child
from rvl_edge_ros.running import choose_transport
from rvl_edge_ros.spoof import ACT_SECONDS, ACTS

_START_BUDGET = 60.0  # seconds until the first result; opening a bundle takes a few
_REPORT = 1.5  # seconds in which every sense reports its health once


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `demo`.

    Returns:
        0 if every sense published, 1 if one did not; 128 + N where signal N cut it short. A demo that runs on
        is ended by a signal as it should be, which is 0.
    """
    options = _parser().parse_args(argv)
    choose_transport()
    signals: list[int] = []
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # only noted: an exception could tear a starting process off
        signal.signal(number, lambda caught, _: signals.append(caught))
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        console = Console()
        summary = _run(options, signals, console)
    finally:
        rclpy.try_shutdown()
    console.print(table(summary, final=True))
    if summary.acts:
        console.print(acts_table(summary.acts))
    if options.json is not None:
        options.json.write_text(summary.to_json())
    if signals:
        return 128 + signals[0] if options.duration else 0
    for complaint in summary.complaints:
        console.print(f"[red]{complaint}")
    return 1 if summary.complaints else 0


def _run(options: argparse.Namespace, signals: list[int], console: Console) -> Summary:
    """Play for the wanted time, counted from the first result."""
    namespace = f"/rvl_edge_demo_{os.getpid()}"
    with _processes(namespace, options) as (node, replay):
        monitor = Monitor(namespace)
        begun, first = time.monotonic(), None
        playing = monitor.summary()
        with Live(table(playing, final=False), console=console, refresh_per_second=4) as live:
            while (
                not signals and not _over(first, begun, options.duration) and node.running and replay.running
            ):
                monitor.spin(0.25)
                playing = monitor.summary()
                live.update(table(playing, final=False))
                if first is None and playing.has_results:
                    first = time.monotonic()
            died = [each.name for each in (node, replay) if not each.running]
            replay.stop()
            monitor.spin(0 if signals else _REPORT)  # the last samples are worked off and reported
        final = monitor.summary(died).with_rates_of(playing)
        monitor.destroy()
    return final


def _over(first: float | None, begun: float, duration: float) -> bool:
    if first is None:
        return time.monotonic() - begun > _START_BUDGET
    return duration > 0 and time.monotonic() - first > duration


@contextlib.contextmanager
def _processes(namespace: str, options: argparse.Namespace) -> Iterator[tuple[Child, Child]]:
    bundle = options.bundle
    node = Child("rvl_edge_ros.perception_node", namespace, {"autostart": "true", "bundle": bundle or '""'})
    sources = {"image.source": "demo", "thermal.source": "demo", "audio.source": "demo"}
    if options.spoof:
        sources |= {"image.source": f"spoof:{bundle}" if bundle else "spoof", "thermal.source": "spoof"}
    with node:
        replay = Child("rvl_edge_ros.replay_node", namespace, sources)
        with replay:
            yield node, replay


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--duration", type=float, default=20.0, metavar="SECONDS", help="0 runs on")
    parser.add_argument(
        "--spoof",
        action="store_true",
        help=f"tamper with the camera: {', '.join(ACTS)}, {ACT_SECONDS:g} seconds each",
    )
    parser.add_argument("--bundle", default="", metavar="FOLDER", help="default: the one inside the SDK")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary there as well")
    return parser


if __name__ == "__main__":
    sys.exit(main())
