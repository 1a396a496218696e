# SPDX-License-Identifier: Apache-2.0
"""The card as `REPORT.md`."""

from __future__ import annotations

from collections.abc import Iterator

from rvl_edge.offline.reporting.card import Card
from rvl_edge.offline.reporting.chapters import chapters
from rvl_edge.offline.reporting.markup import markdown_text
from rvl_edge.offline.reporting.tables import (
    ABSENT,
    HeatMap,
    Table,
    accuracy_table,
    describe_sense,
    hashes_table,
    heat_maps,
    percent,
    recall_table,
    settings_table,
    signs_table,
)


def as_markdown(card: Card) -> str:
    """All figures of the card; its plots and examples are in `report.html`."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Card) -> Iterator[str]:
    yield f"# {markdown_text(card.title)}"
    for sense in card.senses:
        yield f"\n## {markdown_text(describe_sense(sense))}\n"
        yield _table(accuracy_table(sense))
        for each in heat_maps(sense):
            yield _table(_heat_table(each))
        yield _table(recall_table(sense))
        for encoder in sense.encoders:
            if encoder.signs:
                yield _table(signs_table(encoder))
        yield _table(settings_table(sense))
    for chapter in chapters(card):
        yield f"\n## {markdown_text(chapter.title)}\n"
        yield f"{markdown_text(chapter.words)}\n"
        yield from map(_table, chapter.tables)
    yield "\n## What was asked about what\n"
    yield _table(hashes_table(card))
    yield "## What was not tested\n"
    yield from (f"- {markdown_text(each)}" for each in card.not_tested)


def _table(table: Table) -> str:
    heads = " | ".join(map(markdown_text, table.heads))
    rule = " | ".join("---" for _ in table.heads)
    rows = "".join(f"| {' | '.join(map(markdown_text, row))} |\n" for row in table.rows)
    return f"{markdown_text(table.caption)}:\n\n| {heads} |\n| {rule} |\n{rows}"


def _heat_table(heat: HeatMap) -> Table:
    rows = [
        (name, *(ABSENT if value is None else percent(value) for value in values))
        for name, values in heat.rows
    ]
    caption = f"{heat.encoder}: accuracy under corruption in per cent, by severity"
    return Table(caption, ("corruption", *map(str, heat.severities)), tuple(rows))
