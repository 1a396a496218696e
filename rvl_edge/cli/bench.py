# SPDX-License-Identifier: Apache-2.0
"""`rvl-edge bench`: backends side by side on the encoders of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rvl_edge.cli.arguments import Senses
from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import Json, print_json, print_table
from rvl_edge.errors import ConfigError

if TYPE_CHECKING:
    from rvl_edge.benchmarking import Contender, LeftOut, Machine, Outcome, SenseOutcome
    from rvl_edge.types import Modality


def run(
    bundle: Annotated[
        Path | None, typer.Argument(help="A bundle's folder; none is the embedded one.")
    ] = None,
    *,
    modality: Senses = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(help="Backend to measure; may be repeated. Left out, all installed that can run it."),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="Checkpoint that an encoder was exported from, to run on torch; may be repeated."),
    ] = None,
    batch: Annotated[list[int], typer.Option(min=1, help="Samples in a run; may be repeated.")] = [1],  # noqa: B006
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of a run.")] = None,
    seconds: Annotated[float, typer.Option(min=0, help="Time to measure each sense and batch.")] = 10,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds to measure, not seconds.")] = None,
    as_json: Json = False,
) -> None:
    """Compare latency, memory and agreement of backends.

    Backends take turns, so that what else the machine does disturbs all alike.
    """
    from rvl_edge.benchmarking import Board, Machine, Pace, Plan, bench_sense
    from rvl_edge.bundle import Bundle
    from rvl_edge.types import Modality

    opened = Bundle.open(bundle)
    senses = [Modality(each) for each in modality] if modality else list(opened.manifest.senses)
    others = _torch(checkpoint or [], threads, senses)
    plan = Plan(backend, batch, threads, Pace(seconds, rounds))
    machine = Machine.this()
    results = [bench_sense(opened, sense, plan, others.get(sense, ())) for sense in senses]
    if as_json:
        print_json({"machine": machine, "plan": plan, "results": results, "board_after": Board.read()})
    else:
        _show(machine, results)
        for when, board in (("before", machine.board), ("after", Board.read())):
            if board.summary:
                typer.echo(f"{when}: {board.summary}")


def _torch(
    folders: list[Path], threads: int | None, senses: list[Modality]
) -> dict[Modality, list[Contender]]:
    found: dict[Modality, list[Contender]] = {}
    for folder in folders:
        with offline_half("bench --checkpoint"):
            from rvl_edge.offline.benchmarking import torch_contenders
        modality, contenders = torch_contenders(folder, threads)
        if modality not in senses or modality in found:
            raise ConfigError(
                f"{folder} has no encoder of the bundle to be compared with",
                got=modality,
                expected="one checkpoint a sense, of " + ", ".join(senses),
            )
        found[modality] = contenders
    return found


def _show(machine: Machine, results: list[SenseOutcome]) -> None:
    for each in results:
        work = "" if each.gflop is None else f", {each.gflop:.1f} GFLOP a sample"
        for at, first in enumerate(each.outcomes[0].measured):
            title = f"{each.bundle}: {each.modality}{work}, batch {first.batch}, {first.times.runs} rounds"
            print_table(_COLUMNS, [_cells(outcome, at) for outcome in each.outcomes], title=title)
    for description in dict.fromkeys(outcome.description for each in results for outcome in each.outcomes):
        typer.echo(description)
    without: dict[LeftOut, list[str]] = {}
    for sense in results:
        for left_out in sense.left_out:
            without.setdefault(left_out, []).append(sense.modality)
    for left_out, senses in without.items():
        typer.echo(f"{', '.join(senses)} without {left_out.backend}: {left_out.reason}")
    load = "" if machine.load is None else f", load {machine.load:.1f} at the start"
    typer.echo(f"{machine.cpu}, {machine.cpus} CPUs{load}; {machine.system}, Python {machine.python}")


_COLUMNS = ("", "ms", "p90", "p99", "max", "of GEMM", "MB", "load s", "cosine")


def _cells(outcome: Outcome, at: int) -> tuple[str, ...]:
    own = outcome.measured[at]
    times = (own.times.median, own.times.p90, own.times.p99, own.times.max)
    return (
        outcome.contender,
        *(f"{value:.{0 if value >= 1000 else 1}f}" for value in times),
        "?" if own.utilisation is None else f"{own.utilisation:.0%}",
        "?" if outcome.resident_mb is None else f"{outcome.resident_mb:.0f}",
        f"{outcome.load_seconds:.1f}",
        f"{own.cosine_min:.6f}",
    )
