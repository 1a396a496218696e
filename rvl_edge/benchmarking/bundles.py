# SPDX-License-Identifier: Apache-2.0
"""The encoders of a bundle on each backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rvl_edge._encoder import load_graph
from rvl_edge.backends import ENGINE_BACKENDS, Session, open_session
from rvl_edge.benchmarking import gemm
from rvl_edge.benchmarking.choosing import LeftOut, choose_backends
from rvl_edge.benchmarking.comparing import Contender, Outcome, compare
from rvl_edge.benchmarking.flops import count_gflop
from rvl_edge.benchmarking.timing import Pace
from rvl_edge.bundle import Bundle
from rvl_edge.bundle.manifest import SenseEntry
from rvl_edge.types import Modality


@dataclass(frozen=True)
class SenseOutcome:
    """What was measured of one encoder of a bundle.

    Attributes:
        bundle: the bundle's name.
        modality: the sense.
        gflop: operations that one sample takes, in 1e9; None if they could not be counted.
        outcomes: by contender.
        left_out: installed backends that cannot run it here; empty where backends were named.
    """

    bundle: str
    modality: Modality
    gflop: float | None
    outcomes: tuple[Outcome, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        backends: see `rvl_edge.backends.BACKENDS`; None takes, for each sense, all installed that can run it.
        batches: samples in a run.
        threads: of a run; None lets each runtime choose.
        pace: how long.
    """

    backends: Sequence[str] | None
    batches: Sequence[int]
    threads: int | None
    pace: Pace


def bench_sense(
    bundle: Bundle, modality: Modality, plan: Plan, others: Sequence[Contender] = ()
) -> SenseOutcome:
    """Compare the backends on one encoder of a bundle, with noise of the right shape as samples.

    Args:
        bundle: an opened bundle.
        modality: a sense that it has.
        plan: what to measure.
        others: further ways to run the same encoder, listed first.

    Raises:
        ConfigError: the bundle has no such sense, or there is no such backend.
        MissingDependency: a backend is not installed.
        BackendError: a runtime cannot load or run the graph.
    """
    bundle.manifest.check_senses([modality])
    entry = bundle.manifest.senses[modality]
    backends, left_out = choose_backends(entry) if plan.backends is None else (plan.backends, ())
    contenders = [*others, *(_contender(bundle, entry, backend, plan.threads) for backend in backends)]
    random = np.random.default_rng(0)
    batches: list[npt.NDArray[np.float32]] = [
        random.standard_normal((size, *entry.input_shape), dtype=np.float32) for size in plan.batches
    ]
    gflop = count_gflop(bundle.load(entry), batches[0][:1], entry.graph.path)
    outcomes = compare(contenders, batches, gflop=gflop, pace=plan.pace)
    return SenseOutcome(bundle.manifest.name, modality, gflop, tuple(outcomes), left_out)


def _contender(bundle: Bundle, entry: SenseEntry, backend: str, threads: int | None) -> Contender:
    def load() -> Session:
        return load_graph(bundle, entry, threads, backend)

    def load_gemm() -> Session:
        return open_session(
            gemm.gemm_graph(), name="gemm.onnx", dim=gemm.DIM, threads=threads, backend=backend
        )

    # The product is in float32: its rate says nothing of a graph in another precision.
    comparable = entry.precision == "float32" and backend not in ENGINE_BACKENDS
    return Contender(backend, load, load_gemm if comparable else None)
