# SPDX-License-Identifier: Apache-2.0
"""The half of `rvl-edge evaluate` that attacks and corrupts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rvl_edge.cli.arguments import existing, writable
from rvl_edge.cli.offline import offline_half
from rvl_edge.cli.output import print_json, print_table
from rvl_edge.cli.progress import progress
from rvl_edge.errors import ConfigError

if TYPE_CHECKING:
    from rvl_edge.offline.evaluation.over_ray import Cluster
    from rvl_edge.offline.evaluation.plans import Plan
    from rvl_edge.offline.evaluation.results import Evaluation
    from rvl_edge.offline.evaluation.running import Compute, Run, Share


def cluster(address: str | None, workers: int | None, share: Share, *, gpus: bool) -> Cluster | None:
    """The Ray cluster that computes, if one was named.

    Args:
        address: see --ray.
        workers: see --ray-workers.
        share: of this process, which must be all of the work.
        gpus: whether workers may use some.

    Raises:
        ConfigError: the work is shared out in another way as well.
        MissingDependency: without ray.
    """
    if address is None:
        return None
    if share.count > 1:
        raise ConfigError("--ray shares the work out by itself", fix="leave out --shard and torchrun")
    with offline_half("evaluate --ray", extra="ray"):
        from rvl_edge.offline.evaluation.over_ray import Cluster

    return Cluster(address, workers, gpus=gpus)


def carry_out(
    plan: Plan,
    share: Share,
    cluster: Cluster | None,
    out: Path | None,
    targets: Path | None,
    *,
    as_json: bool,
) -> None:
    """Compute a share; whoever finds all parts done writes and prints the result.

    Args:
        plan: what to compute.
        share: which of it.
        cluster: computes; None is this process.
        out: file for the result.
        targets: file of accuracies to reach, by the title of a condition.
        as_json: print one JSON document.

    Raises:
        ConfigError: a plan of what does not go together, a file that cannot be written, or a target of a
            condition that is not run.
        typer.Exit: with 1, a target was missed.
    """
    if out is not None and (out.suffix != ".json" or out.is_dir()):
        raise ConfigError("attacks and corruptions leave one file", got=out, expected="--out FILE.json")
    writable(plan.means.folder / "parts", *([out] if out else []))
    wanted = {} if targets is None else _read_targets(targets)
    with plan.open() as run:
        by = None if cluster is None else partial(cluster.compute, plan, run)
        found = _computed(run, share, by, wanted)
    if found is None:
        typer.echo(f"this share is done; the parts are in {plan.means.folder}, others are missing", err=True)
        return
    _give_out(found, out, as_json=as_json)
    missed = [each for title, least in wanted.items() if (each := _missed(found, title, least))]
    for each in missed:
        typer.echo(each, err=True)
    if missed:
        raise typer.Exit(1)


def _read_targets(path: Path) -> Mapping[str, float]:
    from rvl_edge.offline.evaluation.evaluate import read_targets

    return read_targets(existing(path))


def _computed(run: Run, share: Share, by: Compute | None, targets: Mapping[str, float]) -> Evaluation | None:
    titles = [arm.condition.title for arm in run.arms]
    unknown = sorted(targets.keys() - set(titles))
    if unknown:
        raise ConfigError(
            "a target is of no condition of this run", got=", ".join(unknown), expected=", ".join(titles)
        )
    with progress() as advance:
        parts, finished = len(run.pieces(share)), 0

        def report(title: str, done: int, total: int, rate: float) -> None:
            nonlocal finished
            finished += 1
            advance("all", finished, parts)
            advance(title, done, total, f"{rate:.1f} samples/s")

        run.compute(share, report, by)
    return run.collect()


def _give_out(found: Evaluation, out: Path | None, *, as_json: bool) -> None:
    from rvl_edge.offline.evaluation.results import write_evaluation

    if out is not None:
        write_evaluation(found, out)
    if as_json:
        print_json(_document(found))
    else:
        _show(found)


def _missed(evaluation: Evaluation, title: str, wanted: float) -> str:
    outcome = evaluation.find(title)
    assert outcome is not None  # targets are of this run's conditions
    reached = evaluation.accuracy(outcome).value
    return "" if reached >= wanted else f"target missed: {title} {reached:.1%} of {wanted:.1%}"


def _document(evaluation: Evaluation) -> dict[str, object]:
    from rvl_edge.offline.evaluation.calibration import equal_mass, equal_width
    from rvl_edge.offline.evaluation.masking import verdicts

    conditions = []
    for outcome in evaluation.outcomes:
        right = evaluation.right(outcome)
        conditions.append(
            {
                **outcome.condition.model_dump(mode="json"),
                "title": outcome.condition.title,
                "accuracy": evaluation.accuracy(outcome),
                "recall": evaluation.recall(outcome),
                "loss": outcome.loss,
                "calibration_error": {
                    "equal_width": equal_width(outcome.confidences, right).error,
                    "equal_mass": equal_mass(outcome.confidences, right).error,
                },
                "seconds": outcome.seconds,
            }
        )
    return {
        "modality": evaluation.modality.value,
        "subject": evaluation.subject.model_dump(mode="json"),
        "samples": evaluation.samples.model_dump(mode="json"),
        "conditions": conditions,
        "checks": verdicts(evaluation),
    }


def _show(evaluation: Evaluation) -> None:
    from rvl_edge.offline.evaluation.calibration import equal_mass
    from rvl_edge.offline.evaluation.masking import verdicts

    rows = []
    for outcome in evaluation.outcomes:
        accuracy = evaluation.accuracy(outcome)
        error = equal_mass(outcome.confidences, evaluation.right(outcome)).error
        rows.append(
            (
                outcome.condition.title,
                f"{accuracy.value:.1%}",
                f"{accuracy.low:.1%} to {accuracy.high:.1%}",
                f"{error:.1%}",
                f"{outcome.seconds:.0f} s",
            )
        )
    samples = evaluation.samples
    title = (
        f"{evaluation.subject.name}: {samples.count} samples of {samples.name}, attacked on {samples.domain}"
    )
    print_table(
        ("condition", "accuracy", "95 % interval", "calibration error", "computing"), rows, title=title
    )
    found = verdicts(evaluation)
    if found:
        checks = [
            (
                "pass" if each.passed else "FAIL",
                each.name,
                ", ".join(f"{name} {value:.3g}" for name, value in each.numbers.items()),
            )
            for each in found
        ]
        print_table(("verdict", "sign of honest gradients", "numbers"), checks)
