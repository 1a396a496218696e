# SPDX-License-Identifier: Apache-2.0
"""The half of `rvl-edge evaluate` that attacks and corrupts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rvl_edge.cli.output import print_json, print_table
from rvl_edge.cli.progress import progress
from rvl_edge.errors import ConfigError

if TYPE_CHECKING:
    from rvl_edge.offline.evaluation.results import Evaluation
    from rvl_edge.offline.evaluation.running import Compute, Run, Share


def shard(text: str) -> tuple[int, int]:
    """`2/3` as the second of three.

    Raises:
        ConfigError: something else.
    """
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count)):
        raise ConfigError("no share of the work", got=text, expected="such as 2/3, the second of three")
    return int(index), int(count)


def severities(text: str) -> tuple[int, ...]:
    """`1,3,5` as numbers, ascending.

    Raises:
        ConfigError: something else.
    """
    items = {item.strip() for item in text.split(",")}
    if not items <= set("12345"):
        raise ConfigError("no severities", got=text, expected="numbers from 1 to 5 such as 1,3,5")
    return tuple(sorted(map(int, items)))


def carry_out(
    run: Run,
    share: Share,
    by: Compute | None,
    out: Path | None,
    targets: Mapping[str, float],
    *,
    as_json: bool,
) -> None:
    """Compute a share; whoever finds all parts done writes and prints the result.

    Args:
        run: what to compute.
        share: which of it.
        by: computes in another place; None is here.
        out: file for the result.
        targets: accuracy to reach, by the title of a condition.
        as_json: print one JSON document.

    Raises:
        ConfigError: a target of a condition that is not run.
        typer.Exit: with 1, a target was missed.
    """
    from rvl_edge.offline.evaluation.results import write_evaluation

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
    found = run.collect()
    if found is None:
        typer.echo(f"this share is done; the parts are in {run.folder}, others are missing", err=True)
        return
    if out is not None:
        write_evaluation(found, out)
    if as_json:
        print_json(_document(found))
    else:
        _show(found)
    missed = [each for title, wanted in targets.items() if (each := _missed(found, title, wanted))]
    for each in missed:
        typer.echo(each, err=True)
    if missed:
        raise typer.Exit(1)


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
