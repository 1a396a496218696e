# SPDX-License-Identifier: Apache-2.0
"""What the card says beyond encoders alone: attackers of COLA, monitors, engines and quantised graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rvl_edge.offline.evaluation.adaptive.defences import COLA, GATED, PLAIN
from rvl_edge.offline.evaluation.adaptive.results import Cell
from rvl_edge.offline.evaluation.detections import Case, Search, SenseDetections
from rvl_edge.offline.gates import Drop
from rvl_edge.offline.reporting.card import Card, ColaCard
from rvl_edge.offline.reporting.documents import Gated
from rvl_edge.offline.reporting.tables import ABSENT, Table, interval, percent


@dataclass(frozen=True)
class Chapter:
    """Tables under one heading.

    Attributes:
        anchor: of links to it.
        title: its heading.
        words: how to read the tables.
        tables: its figures.
    """

    anchor: str
    title: str
    words: str
    tables: tuple[Table, ...]


def chapters(card: Card) -> Iterator[Chapter]:
    """Those that there are figures for."""
    if card.cola:
        yield Chapter(
            "cola",
            "COLA against attackers who know of it",
            "PGD on cross-entropy. It takes its logits from the sample as it is (transfer), from the mean of "
            "random views (EOT), or from COLA's own scores by the views that the robot makes (end-to-end), "
            "with the transport plan held or with gradients through weights and plan too. Right is right "
            "before and after; the worst of all counts a sample as broken if any attack broke it. Brackets "
            "are 95 % intervals.",
            (*map(cola_table, card.cola), cola_settings_table(card.cola)),
        )
    if card.monitors:
        yield Chapter(
            "monitors",
            "What the monitors see",
            "Warned of: by all monitors of the sense together, at the calibrated thresholds. Best alone: the "
            "monitor with the largest area under its ROC curve, and what it would detect if all of the false "
            "alarms were its own. Brackets are 95 % intervals.",
            tuple(_monitor_tables(card)),
        )
    if card.gates:
        yield Chapter(
            "gates",
            "Engines and quantised graphs",
            "Each is held against the graph that it was made from, on the same frames. The upper end of a "
            "loss's interval must not pass what is allowed.",
            (gates_table(card.gates),),
        )


def cola_table(card: ColaCard) -> Table:
    """A row a defence, a column an attack, and what the gate leaves of what COLA gains."""
    attacks = dict.fromkeys(each.attack for each in card.cells)
    cells = {(each.defence, each.attack): each for each in card.cells}
    rows = [
        (defence, *(_cell(cells.get((defence, attack))) for attack in attacks))
        for defence in dict.fromkeys(each.defence for each in card.cells)
    ]
    rows.append(
        ("points kept by the gate of those that COLA gains", *(_kept(cells, attack) for attack in attacks))
    )
    samples = card.samples
    caption = (
        f"{_title(card)}: accuracy in per cent; {samples.count} samples of {samples.name} "
        f"({samples.part} part{', simulated' if samples.simulated else ''}), attacked on {samples.domain}"
    )
    return Table(caption, ("defence", *attacks), tuple(rows))


def cola_settings_table(cards: tuple[ColaCard, ...]) -> Table:
    """A row an encoder and radius."""
    rows = [
        (
            _title(each),
            f"{each.attacker.norm}, {each.attacker.steps} steps of {each.attacker.step_size * 255:.3g}/255, "
            f"{each.attacker.precision}, one random start",
            f"{each.cola.views} views that keep {each.cola.keep:g}, rank {each.cola.rank}, "
            f"epsilon {each.cola.epsilon:g}, weight temperature {each.cola.weight_temperature:g}",
            f"{each.cola.margin:g}",
            f"{each.seconds:.0f} s on {', '.join(each.devices)}",
        )
        for each in cards
    ]
    heads = ("encoder", "attacker", "COLA", "gate's margin", "computing")
    return Table("Settings", heads, tuple(rows))


def monitor_table(sense: SenseDetections, rate: float) -> Table:
    """A row a kind of trouble."""
    clean = ("clean", interval(sense.clean), *[ABSENT] * 4)
    samples = sense.samples
    caption = (
        f"{sense.modality}: per cent of samples; {percent(sense.promised)} % of clean ones are promised at "
        f"most ({samples.count} clean of {samples.name}, {samples.part} part)"
    )
    heads = ("what", "warned of", "answers right", "best alone", f"at {percent(rate)} % false alarms", "AUC")
    return Table(caption, heads, (clean, *map(_case, sense.cases)))


def evasion_table(sense: SenseDetections, search: Search) -> Table:
    """Attackers who do and do not know the monitors."""
    rows = [
        (each.attacker, f"{each.eps:.3g}", interval(each.wrong), interval(each.unwarned))
        for each in sense.evasion
    ]
    trials = sense.evasion[0].wrong.trials
    caption = (
        f"{sense.modality}: who attacks encoder and monitors, per cent of {trials} samples; PGD, "
        f"{search.steps} steps in {search.precision}, {search.prices} prices on being warned of"
    )
    return Table(caption, ("attacker", "eps of full scale", "wrong", "wrong and not warned of"), tuple(rows))


def gates_table(gates: tuple[Gated, ...]) -> Table:
    """A row a gate."""
    rows: list[tuple[str, ...]] = []
    for each in gates:
        parity, report = each.report.parity, each.report
        got = f"cosine {parity.cosine_min:.4f}, difference {parity.max_abs:.2g}"
        floor = f"cosine {parity.thresholds.cosine_min}, difference {parity.thresholds.max_abs}"
        if parity.top1_agreement is not None:
            got += f", {percent(parity.top1_agreement)} % of labels the same"
            floor += f", {percent(parity.thresholds.top1_min)} %"
        who = f"{each.graph}, {parity.precision} by {report.candidate}, for {report.reference}"
        rows.append((who, f"parity, {parity.samples} frames", got, floor, _verdict(parity.passed)))
        drops = [report.clean, *([report.robust] if report.robust is not None else [])]
        rows += [(who, *_drop(drop)) for drop in drops]
    return Table("Gates", ("candidate", "gate", "measured", "asked for", "verdict"), tuple(rows))


def _monitor_tables(card: Card) -> Iterator[Table]:
    for evaluation in card.monitors:
        for sense in evaluation.senses:
            yield monitor_table(sense, evaluation.rate)
            if sense.evasion:
                yield evasion_table(sense, evaluation.search)


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ABSENT
    opened = "" if cell.opened is None else f", open {percent(cell.opened)}"
    return f"{interval(cell.accuracy)}{opened}"


def _kept(cells: Mapping[tuple[str, str], Cell], attack: str) -> str:
    plain, cola, gated = (cells.get((each, attack)) for each in (PLAIN, COLA, GATED))
    if plain is None or cola is None or gated is None:
        return ABSENT
    base = plain.accuracy.value
    return f"{percent(gated.accuracy.value - base)} of {percent(cola.accuracy.value - base)}"


def _case(case: Case) -> tuple[str, ...]:
    best, asked = case.best, case.accuracy
    return (
        case.name,
        interval(case.warned),
        ABSENT if asked is None else interval(asked),
        best.monitor,
        interval(best.detected),
        f"{best.auc.value:.2f} [{best.auc.low:.2f}, {best.auc.high:.2f}]",
    )


def _drop(drop: Drop) -> tuple[str, ...]:
    lost = drop.lost
    return (
        f"top-1, {drop.condition}, {drop.reference.trials} frames",
        f"{percent(drop.reference.value)} to {percent(drop.candidate.value)}, "
        f"a loss of {percent(lost.value)} [{percent(lost.low)}, {percent(lost.high)}]",
        f"{percent(drop.allowed)} at most",
        _verdict(drop.passed),
    )


def _verdict(passed: bool) -> str:
    return "holds" if passed else "FAILS"


def _title(card: ColaCard) -> str:
    eps = f"{card.attacker.eps * 255:g}/255"
    return f"{card.modality}, {card.samples.label_set}, {card.subject.name}, {eps}"
