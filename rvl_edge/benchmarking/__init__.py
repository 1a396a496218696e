# SPDX-License-Identifier: Apache-2.0
"""Measures encoders side by side: latency, memory, agreement, and how near they are to the limit."""

from __future__ import annotations

from rvl_edge.benchmarking.board import Board
from rvl_edge.benchmarking.bundles import Plan, SenseOutcome, bench_sense
from rvl_edge.benchmarking.choosing import LeftOut, choose_backends
from rvl_edge.benchmarking.comparing import Contender, Measured, Outcome, Runner, compare
from rvl_edge.benchmarking.machine import Machine
from rvl_edge.benchmarking.timing import Pace, Times, take_turns

__all__ = [
    "Board",
    "Contender",
    "LeftOut",
    "Machine",
    "Measured",
    "Outcome",
    "Pace",
    "Plan",
    "Runner",
    "SenseOutcome",
    "Times",
    "bench_sense",
    "choose_backends",
    "compare",
    "take_turns",
]
