# SPDX-License-Identifier: Apache-2.0
"""Parts of a run, shared out over a Ray cluster by Ray Data.

A worker opens the run from the plan's paths on its own machine and sends parts back; the process that started
it all writes them, so the machines share no folder for results. An actor that is lost with its machine is
started anew by Ray, and a part that it had not finished is computed again.
"""

from __future__ import annotations

import logging
import platform
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import ray
import ray.data
import torch
from ray.exceptions import RayError

from rvl_edge.errors import BackendError, ConfigError, RvlEdgeError
from rvl_edge.offline.evaluation.plans import Plan
from rvl_edge.offline.evaluation.results import Condition, SampleSet, Subject
from rvl_edge.offline.evaluation.running import Part, Piece, Run, Share, release
from rvl_edge.types import FloatArray

_SAME_ANCHOR = 1e-5
"""Processors and their threads differ by 1e-6; other prompts by 1e-4, bfloat16 by 1e-2."""

_REACHED_WITHIN = 5.0
"""Seconds to reach a cluster's head; by itself Ray tries for minutes."""


@dataclass(frozen=True)
class Cluster:
    """Where to compute.

    Attributes:
        address: `auto` is the cluster that this machine belongs to, `local` starts one on this machine, and
            `HOST:PORT` is another's head.
        workers: how many; None is one a GPU or, without GPUs, one a machine.
        gpus: use them, where the cluster has some.
    """

    address: str
    workers: int | None = None
    gpus: bool = True

    def compute(self, plan: Plan, run: Run, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, Part]]:
        """Pieces of an opened plan, each as soon as it comes back.

        Raises:
            ConfigError: the cluster cannot be joined, or a worker lacks what the plan names.
            BackendError: a worker failed in another way.
        """
        if not pieces:
            return
        by_name = {each.name: each for each in pieces}
        with _joined(self.address):
            claim = _claim(self.workers, gpus=self.gpus)
            there = plan.elsewhere(torch.device("cuda" if claim.gpus else "cpu"))
            try:
                for row in _rows(there, inputs(run), list(by_name), claim):
                    if row["error"]:
                        raise ConfigError("a Ray worker cannot take part", got=row["error"], fix=_ALIKE)
                    yield by_name[row["name"]], Part.model_validate_json(row["part"])
            except RayError as error:
                raise BackendError("a Ray worker failed", got=_last_line(error), fix=_ALIKE) from error


_ALIKE = "install the same release, and put data and checkpoints under the same paths, on every machine"


@dataclass(frozen=True)
class _Claim:
    """Workers, and what each of them takes of its machine."""

    workers: int
    cpus: int
    gpus: int


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the plan's paths have to lead to on every machine."""

    release: str
    subject: Subject
    samples: SampleSet
    conditions: tuple[Condition, ...]
    anchors: FloatArray

    def check(self, own: Inputs) -> None:
        """Refuse a machine's own that differ.

        Anchors are compared as numbers: processors round them differently, and their hash would differ.

        Raises:
            ConfigError: says which differ.
        """
        bare = {"anchors_sha256": ""}
        same = {
            "release of rvl_edge": self.release == own.release,
            "encoder": self.subject.model_copy(update=bare) == own.subject.model_copy(update=bare),
            "samples": self.samples == own.samples,
            "surrogate or lexicon": self.conditions == own.conditions,
            "text encoder or prompts": self.anchors.shape == own.anchors.shape
            and np.allclose(self.anchors, own.anchors, atol=_SAME_ANCHOR),
        }
        others = [name for name, agree in same.items() if not agree]
        if others:
            raise ConfigError("this machine's paths lead to something else", got=f"other {', '.join(others)}")


class Worker:
    """An actor, which opens the run at its first piece.

    Args:
        plan: of the run.
        expected: what its paths led to on the driver's machine.
    """

    def __init__(self, plan: Plan, expected: Inputs) -> None:
        self._plan, self._expected = plan, expected
        self._opened = ExitStack()

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        """A piece's `name` with its `part` as JSON, or else the `error`."""
        try:
            part = self._run.part(self._pieces[_condition_and_batch(row["name"])])
        except RvlEdgeError as error:  # as a value: an exception would come back as the text of a traceback
            return {**row, "part": "", "error": f"{platform.node()}: {error}"}
        return {**row, "part": part.model_dump_json(), "error": ""}

    @cached_property
    def _run(self) -> Run:
        run = self._opened.enter_context(self._plan.open())
        self._expected.check(inputs(run))
        return run

    @cached_property
    def _pieces(self) -> dict[str, Piece]:
        return {_condition_and_batch(each.name): each for each in self._run.pieces(Share())}


def _condition_and_batch(name: str) -> str:
    return name.rpartition("/")[2]


def inputs(run: Run) -> Inputs:
    """Those of an opened run."""
    conditions = tuple(arm.condition for arm in run.arms)
    return Inputs(release(), run.judge.subject, run.exam.described, conditions, run.judge.anchors)


@contextmanager
def _joined(address: str) -> Iterator[None]:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}  # standard output is the result's
    alone = {"include_dashboard": False} if address == "local" else {}
    try:
        _reach(address)
        ray.init(address=address, **quiet, **alone)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        raise ConfigError(
            "the Ray cluster cannot be joined",
            got=f"{address}: {_last_line(error)}",
            fix="`ray start --head` here and `ray start --address` on the others, or --ray local",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    host, _, port = address.rpartition(":")
    if port.isdigit():
        socket.create_connection((host.rpartition("/")[2], int(port)), _REACHED_WITHIN).close()


def _claim(workers: int | None, *, gpus: bool) -> _Claim:
    """A GPU each or, without GPUs, an equal share of a machine's processors, which torch then uses."""
    machines = [each["Resources"] for each in ray.nodes() if each["Alive"]]
    count = int(sum(each.get("GPU", 0) for each in machines))
    if gpus and count:
        return _Claim(workers or count, cpus=1, gpus=1)
    cpus = [int(each["CPU"]) for each in machines if each.get("CPU")]
    if not cpus:
        raise ConfigError("the Ray cluster has no processors to compute on", got=machines)
    wanted = workers or len(cpus)
    on_one = -(-wanted // len(cpus))
    return _Claim(wanted, cpus=max(1, min(cpus) // on_one), gpus=0)


def _rows(plan: Plan, expected: Inputs, names: Sequence[str], claim: _Claim) -> Iterator[dict[str, Any]]:
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    # A block a piece, and no piece waits behind another: each comes back, and is kept, as soon as it is done.
    pool = ray.data.ActorPoolStrategy(size=min(claim.workers, len(names)), max_tasks_in_flight_per_actor=1)
    done = ray.data.from_items([{"name": each} for each in names], override_num_blocks=len(names)).map(
        Worker,
        fn_constructor_args=(plan, expected),
        compute=pool,
        num_cpus=claim.cpus,
        num_gpus=claim.gpus,
    )
    for table in done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        yield from table.to_pylist()


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
