# SPDX-License-Identifier: Apache-2.0
"""Several evaluations side by side: a row an encoder, a column a condition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rvl_edge.errors import ConfigError
from rvl_edge.offline.evaluation.paired import Difference, difference
from rvl_edge.offline.evaluation.results import Condition, Evaluation
from rvl_edge.offline.evaluation.wilson import Proportion


@dataclass(frozen=True)
class Row:
    """One encoder.

    Attributes:
        name: of the method.
        seed: of the attacks.
        precision: of a checkpoint's tower, or a bundle's runtime.
        seconds: of computing.
        devices: what computed.
        accuracies: by condition, in the table's order; None where it was not run.
        differences: to the encoder that all are held against; None where there is none.
    """

    name: str
    seed: int
    precision: str
    seconds: float
    devices: tuple[str, ...]
    accuracies: tuple[Proportion | None, ...]
    differences: tuple[Difference | None, ...]


@dataclass(frozen=True)
class Table:
    """Encoders asked about the same samples.

    Attributes:
        title: which samples.
        columns: titles of the conditions.
        against: name of the encoder that differences are to, if any.
        rows: one an encoder.
    """

    title: str
    columns: tuple[str, ...]
    against: str | None
    rows: tuple[Row, ...]


def compare(evaluations: Sequence[Evaluation], against: str | None = None) -> Table:
    """Put evaluations into one table.

    Args:
        evaluations: of the same samples, at least one.
        against: name of the encoder whose accuracy is taken from the others', sample by sample.

    Raises:
        ConfigError: other samples or another question, conditions of one title that differ, or no encoder of
            that name.
    """
    _require_same_samples(evaluations)
    columns = shared_columns(evaluations)
    base = None
    if against is not None:
        found = [each for each in evaluations if each.subject.name == against]
        if not found:
            names = ", ".join(each.subject.name for each in evaluations)
            raise ConfigError("no evaluation of that name", got=against, expected=names)
        base = found[0]
    samples = evaluations[0].samples
    simulated = ", simulated" if samples.simulated else ""
    title = (
        f"{evaluations[0].modality}, {samples.label_set}: {samples.count} samples of {samples.name},"
        f" {samples.part} part{simulated}; attacks on {samples.domain}"
    )
    return Table(title, columns, against, tuple(_row(each, columns, base) for each in evaluations))


def markdown(table: Table) -> str:
    """The table as Markdown, accuracies in per cent with 95 % intervals."""
    heads, rows = cells(table)
    lines = [heads, ["---"] * len(heads), *rows]
    return f"{table.title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cells(table: Table) -> tuple[list[str], list[list[str]]]:
    """Heads and rows as text."""
    heads = ["encoder", *table.columns, "seed", "precision", "computing"]
    rows = []
    for row in table.rows:
        pairs = zip(row.accuracies, row.differences, strict=True)
        figures = [_figure(accuracy, gain) for accuracy, gain in pairs]
        computing = f"{_time(row.seconds)}, {' + '.join(row.devices)}"
        rows.append([row.name, *figures, str(row.seed), row.precision, computing])
    return heads, rows


def _row(evaluation: Evaluation, columns: Iterable[str], base: Evaluation | None) -> Row:
    accuracies: list[Proportion | None] = []
    differences: list[Difference | None] = []
    for title in columns:
        outcome = evaluation.find(title)
        accuracies.append(None if outcome is None else evaluation.accuracy(outcome))
        other = None if base is None or base is evaluation else base.find(title)
        if base is None or outcome is None or other is None:
            differences.append(None)
        else:
            differences.append(difference(evaluation.right(outcome), base.right(other)))
    seconds = sum(each.seconds for each in evaluation.outcomes)
    devices = tuple(sorted({device for each in evaluation.outcomes for device in each.devices}))
    return Row(
        name=evaluation.subject.name,
        seed=evaluation.seed,
        precision=evaluation.subject.backend or evaluation.subject.precision,
        seconds=seconds,
        devices=devices,
        accuracies=tuple(accuracies),
        differences=tuple(differences),
    )


def shared_columns(evaluations: Iterable[Evaluation]) -> tuple[str, ...]:
    """Titles of all conditions but checks, each once, in their order.

    Raises:
        ConfigError: one title means other settings, or another draw of a corruption, in two evaluations.
    """
    found: dict[str, tuple[Condition, Evaluation]] = {}
    for evaluation in evaluations:
        for outcome in evaluation.outcomes:
            condition = outcome.condition
            if condition.kind == "check":
                continue
            known, first = found.setdefault(condition.title, (condition, evaluation))
            if known != condition:
                raise ConfigError(
                    f"{condition.title} does not mean the same in all evaluations",
                    got=f"{evaluation.subject.name}: {condition.settings}",
                    expected=f"{first.subject.name}: {known.settings}",
                    fix="evaluate again with the same settings",
                )
            if condition.kind == "corruption" and evaluation.seed != first.seed:
                raise ConfigError(
                    f"{condition.title} was drawn from other seeds, so the samples are not the same",
                    got=f"{evaluation.subject.name}: {evaluation.seed}",
                    expected=f"{first.subject.name}: {first.seed}",
                    fix="evaluate again with the same --seed",
                )
    return tuple(sorted(found, key=lambda title: found[title][0].place))


def _require_same_samples(evaluations: Sequence[Evaluation]) -> None:
    first = evaluations[0]
    for each in evaluations[1:]:
        if (each.modality, each.samples) != (first.modality, first.samples):
            raise ConfigError(
                "evaluations of other samples cannot be compared",
                got=f"{each.subject.name}: {each.modality}, {each.samples.count} of {each.samples.name}",
                expected=f"{first.modality}, {first.samples.count} of {first.samples.name}, the same ones",
                fix="evaluate all encoders with the same --samples, --part, --label-set and domain",
            )


def _figure(accuracy: Proportion | None, gain: Difference | None) -> str:
    if accuracy is None:
        return ""
    text = f"{accuracy.value:.1%} [{accuracy.low:.1%}, {accuracy.high:.1%}]"
    if gain is None:
        return text
    return f"{text}; {gain.value * 100:+.1f} [{gain.low * 100:+.1f}, {gain.high * 100:+.1f}]"


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
