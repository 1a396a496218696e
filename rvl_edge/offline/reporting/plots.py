# SPDX-License-Identifier: Apache-2.0
"""Accuracy over the strength of attacks, and confidence against accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rvl_edge.offline.evaluation.calibration import Bin
from rvl_edge.offline.evaluation.wilson import Proportion, proportion
from rvl_edge.offline.reporting.card import EncoderCard, SenseCard
from rvl_edge.offline.reporting.charts import Axis, Point, Series, line_chart
from rvl_edge.offline.reporting.markup import Html
from rvl_edge.offline.reporting.tables import all_in_order, find, percent

_SHARES = tuple((each / 4, f"{each / 4:g}") for each in range(5))


@dataclass(frozen=True)
class Plot:
    """A chart and what is to be known of it."""

    drawn: Html
    caption: str


def accuracy_charts(sense: SenseCard) -> Iterator[Plot]:
    """One an attack and norm: accuracy over eps, or over signal-to-noise ratio, a line an encoder."""
    kinds = dict.fromkeys(
        (each.condition.name, each.condition.norm, each.condition.snr_db is not None)
        for each in all_in_order(sense)
        if each.condition.kind == "attack" and each.condition.norm is not None
    )
    for name, norm, by_ratio in kinds:
        lines = [_curve(encoder, name, str(norm), by_ratio=by_ratio) for encoder in sense.encoders]
        series = tuple(each for each in lines if each is not None)
        places = sorted({point.x for each in series for point in each.points})
        title = f"{sense.modality}: accuracy under {name} ({norm})"
        if by_ratio:
            axis = Axis("signal-to-noise ratio in dB, falling", tuple((x, f"{-x:g}") for x in places))
        else:
            axis = Axis("eps in 255ths of full scale", tuple((x, f"{x:g}") for x in places))
        yield Plot(line_chart(title, axis, "accuracy", series), f"Accuracy under {name}, {norm}.")


def reliability_chart(sense: SenseCard) -> Plot | None:
    """Confidence against accuracy of the samples as they are, a line an encoder."""
    series, errors = [], []
    for encoder in sense.encoders:
        clean = find(encoder, "clean")
        if clean is None:
            continue
        name = encoder.subject.name
        trials = sense.samples.count
        points = sorted((_reliable(each, trials) for each in clean.reliability), key=_x)
        series.append(Series(name, tuple(points)))
        errors.append(f"{name} {percent(clean.calibration_error)} %")
    if not series:
        return None
    title = f"{sense.modality}: reliability without attack"
    drawn = line_chart(title, Axis("confidence", _SHARES), "accuracy", series, diagonal=True)
    caption = f"Reliability without attack, in bins of equal mass; calibration error: {', '.join(errors)}."
    return Plot(drawn, caption)


def _curve(encoder: EncoderCard, name: str, norm: str, *, by_ratio: bool) -> Series | None:
    """By falling ratio or by rising eps, which begins at the clean accuracy."""
    points = []
    for each in encoder.measured:
        condition = each.condition
        strength = condition.snr_db if by_ratio else condition.eps
        same = condition.kind == "attack" and condition.name == name and str(condition.norm) == norm
        if same and strength is not None:
            points.append(_point(-strength if by_ratio else round(strength * 255, 3), each.accuracy))
    if not points:
        return None
    clean = find(encoder, "clean")
    if clean is not None and not by_ratio:
        points.append(_point(0, clean.accuracy))
    return Series(encoder.subject.name, tuple(sorted(points, key=_x)))


def _reliable(found: Bin, trials: int) -> Point:
    count = round(found.share * trials)
    return _point(found.confidence, proportion(round(found.accuracy * count), count))


def _point(x: float, share: Proportion) -> Point:
    return Point(x, share.value, share.low, share.high)


def _x(point: Point) -> float:
    return point.x
